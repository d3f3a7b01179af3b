// @ts-check
// Throughput and round trips between two peers, as peer/PROTOCOL.md tells it.

/** @typedef {{bytes: number, ms: number}} BenchResult counted by the receiver */
/** @typedef {{id: number, dir: 'send'|'receive', bytes: number, ms: number, rate: number}} BenchProgress rate: bytes a second over the last step */
/** @typedef {{last: number|null, min: number|null, mean: number|null, max: number|null, sent: number, lost: number}} PingStats milliseconds; lost: of the last 60 */

/** Fires 'progress' (detail: BenchProgress), 'rtt' (detail: {ms: number|null, lost: number}) and 'change'. */
export class Bench extends EventTarget {
  /** @type {PingStats} */
  ping = { last: null, min: null, mean: null, max: null, sent: 0, lost: 0 };
  /** a run is going on, ours or theirs */
  running = false;
  /** dir as seen from here. Rejects when refused, cut or stopped before anything arrived. @param {{dir: 'send'|'receive', ms: number}} options @returns {Promise<BenchResult>} */
  run(options) { void options; return Promise.reject(new Error('not yet')); }
  stop() {}
}
