const DEVICE_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** Whether a device id has the contract's form: 1 to 128 of letters, digits, `.`, `_`, `:`, `-`. */
export function isDeviceId(id: string): boolean {
  return DEVICE_ID.test(id);
}
