// @ts-check
// When a connection is to be mended, and how: an ICE restart first, a new session when that does not help, and that
// again with growing waits for as long as the peer is in the room.
//
//   connected ─ disconnected for a while ─▶ restart ─ not back ─▶ renew ─ not connected ─▶ renew … ─▶ connected

const DISCONNECTED = 3500; // ms that ICE gets to come back by itself
const PATIENCE = [15_000, 20_000, 30_000, 60_000]; // ms that an attempt gets
const PAUSE = [0, 2000, 5000, 10_000, 20_000, 30_000]; // ms before the next one, when the last failed outright
const NEWS = 500; // ms for the news that the peer left, which ends its channels too
const BACK = 3000; // ms an attempt still gets when its messages may have been lost
const STABLE = 10_000; // ms connected after which the past is forgotten
// The offerer's clock runs out first, so that the two do not start over at the same moment.
const ANSWERER = 1.2;

/** @typedef {'restart'|'renew'} Step */

/**
 * @typedef {object} RecoveryOptions
 * @property {boolean} offerer
 * @property {() => void} restart restart ICE
 * @property {() => void} renew start a new session, or ask for one
 * @property {() => boolean} reachable messages reach the peer now
 * @property {() => number} [random]
 */

/** Timers and counts, nothing else; it is told what happens and says what to do. */
export class Recovery {
  /** attempts since it was connected */
  attempts = 0;

  #options;
  #random;
  #connected = false;
  #ever = false;
  /** what is to be done once the peer can be reached @type {Step|null} */
  #pending = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} the next step */
  #timer;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #stable;
  #closed = false;

  /** @param {RecoveryOptions} options */
  constructor(options) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /** A session began, by us or by the other side. */
  started() {
    this.#connected = false;
    this.#ever = false;
    this.#pending = null;
    clearTimeout(this.#stable);
    this.#watch();
  }

  connected() {
    if (this.#connected) return;
    this.#connected = this.#ever = true;
    this.#pending = null;
    clearTimeout(this.#timer);
    clearTimeout(this.#stable);
    this.#stable = setTimeout(() => { this.attempts = 0; }, STABLE);
  }

  /** ICE lost the path; it may find back by itself. */
  disconnected() {
    if (!this.#connected) return;
    this.#leave();
    this.#schedule('restart', DISCONNECTED);
  }

  /** ICE gave up. */
  failed() {
    this.#leave();
    // In a session that was never connected there is nothing that a restart keeps.
    this.#schedule(this.#ever && this.attempts === 0 ? 'restart' : 'renew', this.#pause());
  }

  /** The connection itself is of no use any more: a channel closed, or DTLS failed. */
  broken() {
    this.#leave();
    this.#schedule('renew', Math.max(NEWS, this.#pause()));
  }

  /** The peer, or the room, is back, or the network changed: what was under way may be lost, so do not wait long. */
  back() {
    if (this.#connected || this.#closed || !this.#options.reachable()) return;
    if (this.#pending) this.#attempt(this.#pending);
    else this.#schedule('renew', this.#options.offerer ? BACK : BACK * ANSWERER);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#stable);
  }

  #leave() {
    this.#connected = false;
    clearTimeout(this.#stable);
  }

  #pause() {
    const pause = PAUSE[Math.min(this.attempts, PAUSE.length - 1)];
    return pause * (0.75 + this.#random() / 2);
  }

  /** Waits for the attempt that goes on. */
  #watch() {
    const patience = PATIENCE[Math.min(this.attempts, PATIENCE.length - 1)];
    this.#schedule('renew', this.#options.offerer ? patience : patience * ANSWERER);
  }

  /** @param {Step} step @param {number} ms */
  #schedule(step, ms) {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#attempt(step), ms);
  }

  /** @param {Step} step */
  #attempt(step) {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    if (!this.#options.reachable()) {
      this.#pending = step;
      return;
    }
    this.#pending = null;
    this.attempts++;
    this.#watch();
    if (step === 'restart') this.#options.restart();
    else this.#options.renew();
  }
}
