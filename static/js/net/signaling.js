// @ts-check
// The WebSocket to the room, as signaling/PROTOCOL.md tells it: join, resume, come back after a break.
//
//   new ─▶ connecting ─▶ open ─▶ reconnecting ─▶ open … ─▶ closed
import { decode } from './messages.js';

/** @typedef {import('./messages.js').Peer} Peer */
/** @typedef {import('./messages.js').ICEServer} ICEServer */
/** @typedef {import('./messages.js').ServerMessage} ServerMessage */
/** @typedef {import('./messages.js').ClientMessage} ClientMessage */
/** @typedef {'new'|'connecting'|'open'|'reconnecting'|'closed'} SignalingState */

const VERSION = 1;
const FIRST_WAIT = 500; // ms before the first try to come back
const LAST_WAIT = 8000;
const WELCOME = 10_000; // ms from opening to welcome
const STUCK = 5000; // ms that bytes may wait in the socket
const SUSPECT = 10_000; // ms between two reconnections on suspicion
const QUEUE = 500; // messages kept while there is no socket
const MAX_MESSAGE = 64 << 10; // bytes
// After these the next try may well work; after the other fatal ones it cannot.
const PASSING = new Set(['timeout', 'too-slow']);

/**
 * @typedef {object} SignalingOptions
 * @property {string} url ws(s)://…/rooms/{room}/ws
 * @property {string} name shown to the others, 1 to 64 characters
 * @property {typeof WebSocket} [WebSocket] the tests bring their own
 * @property {() => number} [random] 0 to 1, for the jitter
 */

/** Fires 'state' (detail: SignalingState), 'message' (detail: ServerMessage), 'sent' (detail: ClientMessage or join). */
export class Signaling extends EventTarget {
  /** @type {SignalingState} */
  state = 'new';

  #url;
  #name;
  #WebSocket;
  #random;
  /** @type {WebSocket|null} */
  #socket = null;
  #resume = '';
  #wait = FIRST_WAIT;
  /** @type {ClientMessage[]} */
  #queue = [];
  /** @type {ReturnType<typeof setTimeout>|undefined} the next try, or the limit of this one */
  #timer;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #stuck;
  #suspectedAt = -Infinity;
  /** number of the last signal; the server repeats those it cannot be sure of */
  #heard = 0;

  /** @param {SignalingOptions} options */
  constructor({ url, name, WebSocket = globalThis.WebSocket, random = Math.random }) {
    super();
    this.#url = url;
    this.#name = name;
    this.#WebSocket = WebSocket;
    this.#random = random;
  }

  connect() {
    if (this.state !== 'new') return;
    this.#setState('connecting');
    this.#open();
  }

  /** @param {ClientMessage} msg kept until the socket is back when there is none */
  send(msg) {
    if (this.state === 'closed') return;
    if (this.state === 'open') return this.#write(msg);
    this.#queue.push(msg);
    // Candidates of the oldest negotiation are the least missed.
    if (this.#queue.length > QUEUE) this.#queue.shift();
  }

  /** Leaves for good: the others are told now. */
  close() {
    if (this.state === 'open') this.#write({ type: 'bye' });
    this.#end();
  }

  /**
   * The socket may be dead without anybody having told it: the network changed, or an answer is missing. A page sees no
   * WebSocket pings, so the only way to know is to come back on a new socket, which costs a round trip.
   */
  suspect() {
    const now = performance.now();
    if (this.state === 'reconnecting') {
      if (this.#socket === null) this.#open(); // do not wait for the backoff
    } else if (this.state === 'open' && now - this.#suspectedAt >= SUSPECT) {
      this.#suspectedAt = now;
      this.#lost(0);
    }
  }

  #open() {
    clearTimeout(this.#timer);
    const socket = new this.#WebSocket(this.#url);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(this.#backoff()), WELCOME);
    socket.onopen = () => this.#write({ type: 'join', v: VERSION, name: this.#name, kind: 'browser', ...(this.#resume && { resume: this.#resume }) });
    socket.onmessage = (e) => this.#receive(e.data);
    socket.onclose = () => this.#lost(this.#backoff());
  }

  /** @param {unknown} data */
  #receive(data) {
    const message = decode(data);
    if (!message) return; // of a later version
    switch (message.type) {
      case 'welcome': return this.#welcomed(message);
      case 'signal':
        if (message.n !== undefined && message.n <= this.#heard) return;
        this.#heard = message.n ?? this.#heard;
        break;
      case 'error':
        if (!message.fatal) break;
        return this.#refused(message);
      case 'bye':
        this.#emit(message);
        if (message.reason === 'replaced') this.#end();
        else this.#lost(this.#backoff());
        return;
    }
    this.#emit(message);
  }

  /** @param {import('./messages.js').Welcome} message */
  #welcomed(message) {
    clearTimeout(this.#timer);
    this.#resume = message.resume;
    this.#wait = FIRST_WAIT;
    // What was meant for the peers of a membership that is over would reach them from a stranger.
    const queue = message.resumed ? this.#queue : [];
    this.#queue = [];
    if (!message.resumed) this.#heard = 0;
    this.#setState('open');
    this.#emit(message);
    for (const msg of queue) this.send(msg);
  }

  /** @param {import('./messages.js').SignalingError} message */
  #refused(message) {
    const again = PASSING.has(message.code) || (message.code === 'rate-limited' && this.#resume !== '');
    if (again) {
      if (message.code === 'rate-limited') this.#wait = LAST_WAIT;
      this.#emit({ ...message, fatal: false });
      this.#lost(this.#backoff());
    } else {
      this.#end();
      this.#emit(message);
    }
  }

  /** Gives the socket up and tries again. @param {number} wait ms */
  #lost(wait) {
    this.#drop();
    if (this.state === 'closed') return;
    this.#setState(this.#resume ? 'reconnecting' : 'connecting');
    this.#timer = setTimeout(() => this.#open(), wait);
  }

  /** The next wait: half of it certain, half by chance, so that a server that comes back is not run over. */
  #backoff() {
    const wait = this.#wait;
    this.#wait = Math.min(LAST_WAIT, wait * 2);
    return wait / 2 + (this.#random() * wait) / 2;
  }

  #end() {
    this.#drop();
    this.#queue = [];
    this.#setState('closed');
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#stuck);
    this.#stuck = undefined;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {ClientMessage | {type: 'join' | 'bye'} & Record<string, unknown>} msg */
  #write(msg) {
    const socket = this.#socket;
    if (!socket) return;
    const text = JSON.stringify(msg);
    // One that is too large would cost us the membership.
    if (text.length > MAX_MESSAGE || new TextEncoder().encode(text).length > MAX_MESSAGE) return;
    socket.send(text);
    this.dispatchEvent(new CustomEvent('sent', { detail: msg }));
    this.#stuck ??= setTimeout(() => {
      this.#stuck = undefined;
      if (socket === this.#socket && socket.bufferedAmount > 0) this.#lost(0);
    }, STUCK);
  }

  /** @param {ServerMessage} message */
  #emit(message) { this.dispatchEvent(new CustomEvent('message', { detail: message })); }

  /** @param {SignalingState} state */
  #setState(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent('state', { detail: state }));
  }
}
