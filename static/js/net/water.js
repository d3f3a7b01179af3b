// @ts-check
// How far a channel is filled with bulk data. The same rule as in the Go peer, peer/water.go.
//
// All that waits in a channel is in front of what is sent next, a pause or a cancel; so a mark that suits a LAN means
// seconds on a slow path, and one that suits that leaves a LAN idle. The mark becomes, again and again, what leaves in
// 200 ms at the rate just seen. One look may deceive, so a step is to the half or the double at most. (The Go rule adds
// two round trips, because there bytes in flight count as waiting. A browser counts what it has not sent yet.)

export const FIRST_WATER = 256 << 10; // bytes
export const MIN_WATER = 64 << 10; // a chunk and some
export const MAX_WATER = 4 << 20;
const TIME = 200; // ms
const LOOK = 50; // ms of waiting that a rate is seen in

/** The high-water mark of one channel. */
export class Water {
  high = FIRST_WATER;
  /** bytes when we began to wait, null while we do not @type {number|null} */
  #full = null;
  #since = 0;
  // since the mark was set, while we waited
  #drained = 0;
  #took = 0;

  /** Where waiting ends. Near the mark, so that the channel never runs dry. */
  get low() { return this.high - this.high / 8; }

  /**
   * There is room for bulk data; if not, waiting begins.
   * @param {number} buffered bytes in the channel
   * @param {number} now ms
   */
  hasRoom(buffered, now) {
    this.look(buffered, now);
    if (buffered < this.high) return true;
    if (this.#full === null) {
      this.#full = buffered;
      this.#since = now;
    }
    return false;
  }

  /**
   * Waiting may be over.
   * @param {number} buffered
   * @param {number} now ms
   */
  look(buffered, now) {
    if (this.#full === null || buffered >= this.high) return;
    this.#drained += this.#full - buffered;
    this.#took += now - this.#since;
    this.reset();
    if (this.#took < LOOK) return;
    const mark = (this.#drained * TIME) / this.#took;
    this.high = Math.floor(Math.min(Math.max(mark, this.high / 2, MIN_WATER), this.high * 2, MAX_WATER));
    this.#drained = this.#took = 0;
  }

  /** Waiting is over, or void: there is another channel. */
  reset() { this.#full = null; }
}
