// @ts-check
// What was measured on each link so far, for the charts. Bounded: ten minutes.

/** @typedef {import('../net/link.js').Link} Link */
/** @typedef {import('../inspect/stats.js').Snapshot} Snapshot */
/** @typedef {import('../view/chart.js').Sample} Sample */

const keep = 600;

class History {
  /** @type {Sample[]} milliseconds */
  rtt = [];
  /** @type {Sample[]} round trips through the data channel, milliseconds */
  ping = [];
  /** @type {Sample[]} bytes a second */
  up = [];
  /** @type {Sample[]} bytes a second */
  down = [];
  #begin = performance.now();

  /** @param {Link} link */
  constructor(link) {
    link.addEventListener('stats', (e) => {
      const snapshot = /** @type {CustomEvent<Snapshot>} */ (e).detail;
      const at = this.#now();
      if (snapshot.rtt !== null) push(this.rtt, at, snapshot.rtt);
      push(this.up, at, snapshot.sendRate);
      push(this.down, at, snapshot.receiveRate);
    });
    link.bench.addEventListener('rtt', (e) => {
      const { ms } = /** @type {CustomEvent<{ms: number|null}>} */ (e).detail;
      if (ms !== null) push(this.ping, this.#now(), ms);
    });
  }

  #now() { return (performance.now() - this.#begin) / 1000; }
}

/** @param {Sample[]} samples @param {number} at @param {number} value */
function push(samples, at, value) {
  samples.push({ at, value });
  if (samples.length > keep) samples.shift();
}

/** One History a link, kept as long as the link. */
export class Histories {
  /** @type {WeakMap<Link, History>} */
  #all = new WeakMap();

  /** @param {Link} link */
  of(link) {
    let history = this.#all.get(link);
    if (!history) this.#all.set(link, history = new History(link));
    return history;
  }
}
