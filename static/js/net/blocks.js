// @ts-check
// Reads a file in large blocks, one ahead, so that the sender never holds more than two of them.

const BLOCK = 1 << 20; // bytes

/** @typedef {{at: number, bytes: Uint8Array}} Block */

/** @param {Block|null} block @param {number} at */
const covers = (block, at) => block !== null && at >= block.at && at < block.at + block.bytes.length;

/** A file that can be read from anywhere. */
export class BlockReader {
  #file;
  #ready;
  #failed;
  /** @type {Block|null} */
  #block = null;
  /** @type {Block|null} */
  #ahead = null;
  #reading = false;
  #closed = false;

  /**
   * @param {Blob} file
   * @param {() => void} ready another block is there
   * @param {(err: Error) => void} failed the file cannot be read
   */
  constructor(file, ready, failed) {
    this.#file = file;
    this.#ready = ready;
    this.#failed = failed;
  }

  /**
   * The bytes from `at`, at most `max`; null when they are not there yet, then `ready` is called later.
   * @param {number} at
   * @param {number} max
   * @returns {Uint8Array|null}
   */
  get(at, max) {
    if (!covers(this.#block, at) && covers(this.#ahead, at)) {
      this.#block = this.#ahead;
      this.#ahead = null;
    }
    const block = covers(this.#block, at) ? this.#block : null;
    const next = block ? block.at + block.bytes.length : at;
    if (next < this.#file.size && !covers(this.#ahead, next)) this.#read(next);
    return block && block.bytes.subarray(at - block.at, at - block.at + max);
  }

  close() {
    this.#closed = true;
    this.#block = this.#ahead = null;
  }

  /** @param {number} at */
  async #read(at) {
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    const end = Math.min(at + BLOCK, this.#file.size);
    try {
      const bytes = new Uint8Array(await this.#file.slice(at, end).arrayBuffer());
      if (bytes.length !== end - at) throw new Error('the file became shorter');
      this.#reading = false;
      if (this.#closed) return;
      this.#ahead = { at, bytes };
      this.#ready();
    } catch (err) {
      this.#reading = false;
      if (!this.#closed) this.#failed(err instanceof Error ? err : new Error(String(err)));
    }
  }
}
