/** Reason codes of MQTT 5 (2.4) that are sent here; MQTT 3.1.1 has no place for them in a PUBACK. */
export const REASON = {
  success: 0x00,
  notAuthorized: 0x87,
  serverBusy: 0x89,
  topicNameInvalid: 0x90,
  payloadFormatInvalid: 0x99,
} as const;

export type PubackReason = (typeof REASON)[keyof typeof REASON];
