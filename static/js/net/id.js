// @ts-check
// Random identifiers. crypto.randomUUID is missing on plain-http addresses; getRandomValues is there everywhere.

/** @returns {string} 32 lower-case hex digits, 128 random bits */
export function randomId() { return toHex(crypto.getRandomValues(new Uint8Array(16))); }

/** @param {Uint8Array} bytes */
export function toHex(bytes) { return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(''); }

/** @param {string} hex an even number of digits */
export function fromHex(hex) {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}
