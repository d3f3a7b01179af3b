// @ts-check
// One remote peer over all its sessions.
import { Chat } from './chat.js';
import { Files } from './files.js';
import { Bench } from './bench.js';

/** @typedef {import('./signaling.js').Peer} Peer */
/** @typedef {import('../inspect/stats.js').Snapshot} Snapshot */
/** @typedef {import('../inspect/explain.js').Explanation} Explanation */
/** @typedef {import('../inspect/explain.js').PathChoice} PathChoice */
/** @typedef {'new'|'connecting'|'connected'|'interrupted'|'failed'|'closed'} LinkState */

/** Fires 'change' and 'stats' (detail: Snapshot). */
export class Link extends EventTarget {
  /** @type {Peer} */
  peer;
  /** the peer lost its socket to the room */
  away = false;
  /** @type {RTCPeerConnection|null} */
  pc = null;
  /** @type {LinkState} */
  state = 'new';
  /** @type {import('../inspect/explain.js').Path} */
  path = 'unknown';
  /** number of the current session, 0 before the first */
  session = 0;
  /** @type {Snapshot|null} */
  stats = null;
  /** @type {Explanation} */
  explanation = { path: 'unknown', sentence: '', change: [] };
  /** what the user chose @type {PathChoice} */
  choice = 'any';
  chat = new Chat();
  files = new Files();
  bench = new Bench();

  /** @param {{peer: Peer}} options */
  constructor(options) { super(); this.peer = options.peer; }
  restartIce() {}
  newSession() {}
  /** @param {PathChoice} choice */
  setPath(choice) { void choice; }
  close() {}
}
