// @ts-check
// A room: who is in it, and a link to each of them.
/** @typedef {import('./link.js').Link} Link */
/** @typedef {import('./signaling.js').Peer} Peer */
/** @typedef {import('./signaling.js').SignalingState} SignalingState */
/** @typedef {import('../inspect/explain.js').PathChoice} PathChoice */
/** @typedef {{code: string, message: string, fatal: boolean}} RoomError */

/** Fires 'change', 'link' (detail: Link), 'unlink' (detail: Link), 'error' (detail: RoomError). */
export class Room extends EventTarget {
  /** @type {Map<string, Link>} by peer id */
  links = new Map();
  /** @type {Peer|null} */
  self = null;
  /** @type {SignalingState} of the socket to the room */
  state = 'new';
  /** @type {PathChoice} */
  path = 'any';
  /** peers the room has place for, 0 before the welcome */
  maxPeers = 0;
  /** @param {{url: string, name: string, path?: PathChoice, recorder?: import('../inspect/recorder.js').Recorder}} options */
  constructor(options) { super(); void options; }
  join() {}
  leave() {}
  /** @param {PathChoice} path */
  setPath(path) { this.path = path; }
}
