// @ts-check
// The WebSocket to the room, as signaling/PROTOCOL.md tells it: join, resume, come back after a break.

/** @typedef {{id: string, name: string, kind: 'browser'|'go', order: number}} Peer */
/** @typedef {{urls: string[], username?: string, credential?: string}} ICEServer */
/** @typedef {{candidate: string, sdpMid?: string|null, sdpMLineIndex?: number|null, usernameFragment?: string|null}} WireCandidate */
/** @typedef {{type: 'offer'|'answer', sdp: string}} WireDescription */
/** @typedef {'ice-restart'|'new-session'} Want */
/** @typedef {{type: 'welcome', v: number, room: string, self: Peer, peers: Peer[], iceServers: ICEServer[], iceTTL: number, resume: string, resumed: boolean, resumeWindow: number, maxPeers: number}} Welcome */
/** @typedef {{type: 'signal', from: string, session: number, description?: WireDescription, candidate?: WireCandidate, want?: Want}} Signal */
/** @typedef {{type: 'error', code: string, message: string, fatal: boolean}} SignalingError */
/** @typedef {Welcome | Signal | SignalingError
 *   | {type: 'peer-joined', peer: Peer}
 *   | {type: 'peer-state', id: string, state: 'away'|'here'}
 *   | {type: 'peer-left', id: string, reason: 'bye'|'timeout'|'dropped'}
 *   | {type: 'ice-servers', iceServers: ICEServer[], iceTTL: number}
 *   | {type: 'bye', reason: 'shutdown'|'replaced'}} ServerMessage */
/** @typedef {{type: 'signal', to: string, session: number, description?: WireDescription, candidate?: WireCandidate, want?: Want}} ClientMessage */
/** @typedef {'new'|'connecting'|'open'|'reconnecting'|'closed'} SignalingState */

/** Fires 'state' (detail: SignalingState) and 'message' (detail: ServerMessage). */
export class Signaling extends EventTarget {
  /** @type {SignalingState} */
  state = 'new';
  /** @param {{url: string, name: string}} options url: ws(s)://…/rooms/{room}/ws */
  constructor(options) { super(); void options; }
  connect() {}
  /** @param {ClientMessage} msg kept until the socket is back when there is none */
  send(msg) { void msg; }
  close() {}
}
