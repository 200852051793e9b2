/**
 * Reads the registry's own message from the body of an error (distribution spec, "Error Codes").
 *
 * @returns at most 300 characters, without control characters; empty if the body has another form
 */
export function registryMessage(bytes: Uint8Array | undefined): string {
  const text = Buffer.from(bytes ?? []).toString("utf8");
  let message = "";
  try {
    const { errors } = JSON.parse(text) as { errors?: { code?: string; message?: string }[] };
    message = (errors ?? []).map((error) => [error.code, error.message].filter(Boolean).join(": ")).join("; ");
  } catch {
    // not the registry's JSON; the status is enough for the message
  }
  return message.replace(/[\p{Cc}\p{Cf}]+/gu, " ").slice(0, 300);
}
