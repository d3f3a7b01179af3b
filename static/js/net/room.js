// @ts-check
// A room: who is in it, and a link to each of them.
import { Link } from './link.js';
import { inFull } from '../inspect/natwords.js';
import { measureNAT } from './natbehavior.js';
import { Signaling } from './signaling.js';

/** @typedef {import('./messages.js').Peer} Peer */
/** @typedef {import('./messages.js').ServerMessage} ServerMessage */
/** @typedef {import('./signaling.js').SignalingState} SignalingState */
/** @typedef {import('../inspect/explain.js').PathChoice} PathChoice */
/** @typedef {{code: string, message: string, fatal: boolean}} RoomError fatal: we are out of the room for good */

const SETTLE = 1000; // ms after the last sign of a changed network
const FIRST_PATHS = 500; // ms in which the connections have the network for themselves

/**
 * @typedef {object} RoomOptions
 * @property {string} url ws(s)://…/rooms/{room}/ws
 * @property {string} name shown to the others, 1 to 64 characters
 * @property {PathChoice} [path]
 * @property {import('../inspect/recorder.js').Recorder} [recorder]
 * @property {typeof WebSocket} [WebSocket] the tests bring their own
 * @property {typeof RTCPeerConnection} [RTCPeerConnection]
 * @property {(servers: string[]) => Promise<{mapping: string}>} [measure]
 */

/** @typedef {import('./messages.js').NAT} NAT */

/** Fires 'change', 'link' (detail: Link), 'unlink' (detail: Link), 'error' (detail: RoomError). */
export class Room extends EventTarget {
  /** by peer id @type {Map<string, Link>} */
  links = new Map();
  /** @type {Peer|null} */
  self = null;
  /** @type {PathChoice} */
  path;
  /** what we found out about our own @type {NAT|null} */
  nat = null;
  /** peers the room has place for, 0 before the welcome */
  maxPeers = 0;

  #options;
  #signaling;
  /** @type {import('./messages.js').ICEServer[]} */
  #iceServers = [];
  /** two ports of one STUN server @type {string[]} */
  #natServers = [];
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #measuring;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #moved;
  #listeners = new AbortController();

  /** @param {RoomOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.path = options.path ?? 'any';
    this.#signaling = new Signaling({ url: options.url, name: options.name, WebSocket: options.WebSocket });
    this.#signaling.addEventListener('state', () => this.#stateChanged());
    this.#signaling.addEventListener('message', (e) => this.#receive(/** @type {CustomEvent<ServerMessage>} */ (e).detail));
    this.#signaling.addEventListener('sent', (e) => this.#record('me', 'server', /** @type {CustomEvent} */ (e).detail));
  }

  /** @returns {SignalingState} of the socket to the room; the links may be well without it */
  get state() { return this.#signaling.state; }

  join() {
    const { signal } = this.#listeners;
    const moved = () => this.#networkMoved();
    globalThis.addEventListener?.('online', moved, { signal });
    /** @type {{connection?: EventTarget}} */ (globalThis.navigator ?? {}).connection?.addEventListener('change', moved, { signal });
    this.#signaling.connect();
  }

  /** For good: the others are told, and every link is closed. */
  leave() {
    this.#listeners.abort();
    clearTimeout(this.#moved);
    clearTimeout(this.#measuring);
    this.#signaling.close();
    this.#unlinkAll('You left the room.');
  }

  /** @param {PathChoice} path for every link, and those to come */
  setPath(path) {
    this.path = path;
    for (const link of this.links.values()) link.setPath(path);
    this.#change();
  }

  /** @param {ServerMessage} message */
  #receive(message) {
    this.#record('server', 'me', message);
    switch (message.type) {
      case 'welcome': return this.#welcomed(message);
      case 'peer-joined': return this.#joined(message.peer);
      case 'peer-left': return this.#left(message.id);
      case 'peer-state':
        this.links.get(message.id)?.setAway(message.state === 'away');
        if (message.nat) this.links.get(message.id)?.natKnown(message.nat);
        return;
      case 'signal': return this.links.get(message.from)?.receive(message);
      case 'ice-servers': return this.#setServers(message.iceServers);
      case 'error': return void this.dispatchEvent(new CustomEvent('error', { detail: message }));
      case 'bye':
        if (message.reason !== 'replaced') return;
        this.#unlinkAll('This place in the room was taken over.');
        this.dispatchEvent(new CustomEvent('error', {
          detail: { code: 'replaced', message: 'This place in the room was taken over from another window.', fatal: true },
        }));
    }
  }

  /** @param {import('./messages.js').Welcome} message */
  #welcomed(message) {
    this.maxPeers = message.maxPeers;
    this.#setServers(message.iceServers);
    if (!message.resumed) this.#unlinkAll('We are somebody new to the room.');
    this.self = message.self;
    const present = new Set(message.peers.map((peer) => peer.id));
    for (const id of this.links.keys()) if (!present.has(id)) this.#left(id);
    for (const link of this.links.values()) link.roomBack();
    for (const peer of message.peers) {
      if (peer.nat) this.links.get(peer.id)?.natKnown(peer.nat);
      this.#joined(peer);
    }
    this.#natServers = message.natServers ?? [];
    if (this.nat) this.#shareNAT();
    else this.#measureNAT();
    this.#change();
  }

  /** @param {Peer} peer */
  #joined(peer) {
    if (!this.self || peer.id === this.self.id || this.links.has(peer.id)) return;
    const link = new Link({
      self: this.self,
      peer,
      iceServers: this.#iceServers,
      choice: this.path,
      send: (msg) => this.#signaling.send(msg),
      online: () => this.#signaling.state === 'open',
      suspect: () => this.#signaling.suspect(),
      nat: () => this.nat,
      recorder: this.#options.recorder,
      RTCPeerConnection: this.#options.RTCPeerConnection,
    });
    this.links.set(peer.id, link);
    link.addEventListener('change', () => this.#change());
    this.dispatchEvent(new CustomEvent('link', { detail: link }));
    link.begin();
    this.#change();
  }

  /** @param {string} id @param {string} [reason] */
  #left(id, reason = 'The peer left.') {
    const link = this.links.get(id);
    if (!link) return;
    this.links.delete(id);
    link.close(reason);
    this.dispatchEvent(new CustomEvent('unlink', { detail: link }));
    this.#change();
  }

  /** @param {string} reason */
  #unlinkAll(reason) { for (const id of [...this.links.keys()]) this.#left(id, reason); }

  /** @param {import('./messages.js').ICEServer[]} iceServers */
  #setServers(iceServers) {
    this.#iceServers = iceServers;
    for (const link of this.links.values()) link.setServers(iceServers);
  }

  /** Finds out about our NAT, if the server has what it takes; nothing waits for it. */
  #measureNAT() {
    clearTimeout(this.#measuring);
    const servers = this.#natServers;
    if (servers.length < 2) return;
    const measuring = setTimeout(async () => {
      const found = await (this.#options.measure ?? measureNAT)(servers).catch(() => null);
      // The network may have changed meanwhile, or we have left.
      if (!found || measuring !== this.#measuring || this.state === 'closed') return;
      this.nat = { mapping: found.mapping };
      this.#options.recorder?.note({ layer: 'ice', from: 'me', text: `Measured by two STUN ports: ${inFull(this.nat, 'browser')}` });
      this.#shareNAT();
      for (const link of this.links.values()) link.natKnown();
      this.#change();
    }, FIRST_PATHS);
    this.#measuring = measuring;
  }

  /** Tells the room, unless it knows. */
  #shareNAT() {
    const { nat, self } = this;
    if (!nat || !self || this.#natServers.length === 0 || nat.mapping === (self.nat?.mapping ?? 'unknown')) return;
    this.self = { ...self, nat };
    this.#signaling.send({ type: 'nat', nat });
  }

  /** Networks come and go in bursts; what counts is the one that is there after them. */
  #networkMoved() {
    clearTimeout(this.#moved);
    this.#moved = setTimeout(() => {
      this.#options.recorder?.note({ layer: 'ip', from: 'me', text: 'The network changed.' });
      this.#signaling.suspect();
      for (const link of this.links.values()) link.networkChanged();
      this.#measureNAT();
    }, SETTLE);
  }

  #stateChanged() {
    this.#options.recorder?.state({ layer: 'app', from: 'me', name: 'signaling', text: this.state });
    this.#change();
  }

  /**
   * @param {string} from
   * @param {string} to
   * @param {{type: string} & Record<string, any>} message
   */
  #record(from, to, message) {
    const { recorder } = this.#options;
    if (!recorder) return;
    const peer = this.links.get(message.to ?? message.from)?.peer.name ?? message.peer?.name;
    recorder.message({ from, to, ...describe(message), ...(peer && { attrs: { peer } }) });
  }

  #change() { this.dispatchEvent(new CustomEvent('change')); }
}

/**
 * A signaling message as the record names it.
 * @param {{type: string} & Record<string, any>} message
 * @returns {{layer: import('../inspect/recorder.js').Layer, name: string, text: string}}
 */
function describe(message) {
  if (message.description) return { layer: 'app', name: message.description.type, text: message.description.sdp };
  if (message.candidate) return { layer: 'ice', name: 'candidate', text: message.candidate.candidate || 'no more candidates' };
  if (message.want) return { layer: 'app', name: message.want, text: '' };
  const text = message.nat?.mapping ?? message.message ?? message.reason ?? message.state ?? message.name ?? '';
  return { layer: 'app', name: message.type, text: String(text) };
}
