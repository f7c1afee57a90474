const OUTBOX_ID = /^[A-Za-z0-9_-]{16,64}$/;
const DEVICE_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** Whether a device id has the contract's form: 1 to 128 of letters, digits, `.`, `_`, `:`, `-`. */
export function isDeviceId(id: string): boolean {
  return DEVICE_ID.test(id);
}

/** Whether an outbox id has the contract's form: 16 to 64 of letters, digits, `_`, `-`. */
export function isOutboxId(id: string): boolean {
  return OUTBOX_ID.test(id);
}
