// Bytes as base64 text: what is binary travels as text where a transport carries nothing else (Redis by REST).

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  // `apply` and not a spread, which goes through the iterator and takes seven times as long.
  for (let i = 0; i < bytes.length; i += 4096)
    binary += Reflect.apply(String.fromCharCode, undefined, bytes.subarray(i, i + 4096)) as string;
  return btoa(binary);
}

/** Base64 to bytes; none at all for text that is no base64. */
export function fromBase64(value: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(value);
  } catch {
    return new Uint8Array();
  }
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
