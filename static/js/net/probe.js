// @ts-check
// Round trips over the data channel 'probe', which neither repeats nor orders: a lost ping is lost, that is the point.
import { Conversation, intField } from './conversation.js';

const EVERY = 1000; // ms between pings
const LOST_AFTER = 5000; // ms
const WINDOW = 60; // pings the statistics are about
const ANSWERS = 100; // a second; who asks more often gets no answer

/** @typedef {{last: number|null, min: number|null, mean: number|null, max: number|null, sent: number, lost: number}} PingStats milliseconds; all but last and sent over the last 60 pings */

/** Fires 'rtt' (detail: {ms: number|null, lost: number}); ms is null for a lost one. */
export class Probe extends Conversation {
  /** @type {Map<number, number>} number of the ping → when it was sent */
  #waiting = new Map();
  /** the last results, null for a lost one @type {(number|null)[]} */
  #results = [];
  #n = 0;
  /** @type {number|null} */
  #last = null;
  #answered = 0;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #timer;

  /** @returns {PingStats} */
  get stats() {
    const back = this.#results.filter((ms) => ms !== null);
    const none = back.length === 0;
    return {
      last: this.#last,
      min: none ? null : Math.min(...back),
      mean: none ? null : back.reduce((sum, ms) => sum + ms, 0) / back.length,
      max: none ? null : Math.max(...back),
      sent: this.#n,
      lost: this.#results.length - back.length,
    };
  }

  /** @override */
  opened() {
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#step(), EVERY);
    this.#step();
  }

  /** @override */
  cut() {
    clearInterval(this.#timer);
    this.#waiting.clear();
  }

  /** @override */
  failed() { this.cut(); }

  /** @override @param {import('./conversation.js').Frame} frame */
  frame(frame) {
    if (frame.t === 'ping') {
      const n = intField(frame, 'n', 0, 2 ** 31 - 1);
      if (this.#answered++ < ANSWERS) this.sendFrame({ t: 'pong', n });
    } else if (frame.t === 'pong') {
      const n = intField(frame, 'n', 0, 2 ** 31 - 1);
      const sent = this.#waiting.get(n);
      if (sent === undefined) return;
      this.#waiting.delete(n);
      this.#last = performance.now() - sent;
      this.#result(this.#last);
    }
  }

  #step() {
    this.#answered = 0;
    const now = performance.now();
    for (const [n, sent] of this.#waiting) {
      if (now - sent < LOST_AFTER) continue;
      this.#waiting.delete(n);
      this.#result(null);
    }
    const n = ++this.#n;
    if (this.sendFrame({ t: 'ping', n })) this.#waiting.set(n, now);
  }

  /** @param {number|null} ms */
  #result(ms) {
    this.#results.push(ms);
    if (this.#results.length > WINDOW) this.#results.shift();
    this.dispatchEvent(new CustomEvent('rtt', { detail: { ms, lost: this.stats.lost } }));
  }
}
