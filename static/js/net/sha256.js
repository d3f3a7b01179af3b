// @ts-check
// SHA-256 (FIPS 180-4), fed piece by piece. WebCrypto hashes only what lies in memory as a whole, and only in a
// secure context; a file of some gigabytes on a plain-http LAN address is neither.

/** The first 32 bits of the fractional part of x. @param {number} x */
const fraction = (x) => Math.floor((x - Math.floor(x)) * 2 ** 32) | 0;

/** The first n primes. @param {number} n */
function primes(n) {
  /** @type {number[]} */
  const found = [];
  for (let i = 2; found.length < n; i++) {
    if (found.every((p) => i % p !== 0)) found.push(i);
  }
  return found;
}

// Cube roots by Math.cbrt are right to the last of the bits used here; the test vectors would tell otherwise.
const K = Int32Array.from(primes(64), (p) => fraction(Math.cbrt(p)));
const INITIAL = Int32Array.from(primes(8), (p) => fraction(Math.sqrt(p)));

export class Sha256 {
  #state = INITIAL.slice();
  #w = new Int32Array(64);
  #block = new Uint8Array(64);
  #blockView = new DataView(this.#block.buffer);
  #filled = 0;
  #length = 0;
  #hex = '';

  /** Bytes hashed so far. */
  get length() { return this.#length; }

  /**
   * @param {Uint8Array} bytes
   * @returns {this}
   */
  update(bytes) {
    if (this.#hex) throw new Error('sha256: update after hex');
    this.#length += bytes.length;
    let at = 0;
    if (this.#filled > 0) {
      at = Math.min(64 - this.#filled, bytes.length);
      this.#block.set(bytes.subarray(0, at), this.#filled);
      this.#filled += at;
      if (this.#filled < 64) return this;
      this.#compress(this.#blockView, 0);
      this.#filled = 0;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (; at + 64 <= bytes.length; at += 64) this.#compress(view, at);
    if (at < bytes.length) {
      this.#block.set(bytes.subarray(at));
      this.#filled = bytes.length - at;
    }
    return this;
  }

  /** Ends the hash. @returns {string} 64 lower-case hex digits */
  hex() {
    if (this.#hex) return this.#hex;
    const tail = new Uint8Array(this.#filled < 56 ? 64 - this.#filled : 128 - this.#filled);
    const view = new DataView(tail.buffer);
    tail[0] = 0x80;
    // The length is told in bits, 64 of them; a JavaScript number of bytes has 53.
    view.setUint32(tail.length - 8, Math.floor(this.#length / 2 ** 29));
    view.setUint32(tail.length - 4, (this.#length << 3) >>> 0);
    const length = this.#length;
    this.update(tail);
    this.#length = length;
    this.#hex = Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
    return this.#hex;
  }

  /** One block of 64 bytes. @param {DataView} view @param {number} at */
  #compress(view, at) {
    const w = this.#w;
    const s = this.#state;
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + i * 4);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + (g ^ (e & (f ^ g))) + K[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
      h = g; g = f; f = e;
      e = (d + t1) | 0;
      d = c; c = b; b = a;
      a = (t1 + t2) | 0;
    }
    s[0] = (s[0] + a) | 0; s[1] = (s[1] + b) | 0; s[2] = (s[2] + c) | 0; s[3] = (s[3] + d) | 0;
    s[4] = (s[4] + e) | 0; s[5] = (s[5] + f) | 0; s[6] = (s[6] + g) | 0; s[7] = (s[7] + h) | 0;
  }
}
