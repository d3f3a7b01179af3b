// @ts-check
// One RTCPeerConnection with its four data channels, and its negotiation: perfect negotiation (W3C webrtc-pc, section
// "Perfect negotiation example") in the roles of signaling/PROTOCOL.md, with trickled candidates (RFC 8838).
// It does not judge whether the connection is any good; recovery.js does.
import { candidateAllowed, candidatesIn, configuration, filterDescription, parseCandidate } from './candidate.js';

/** @typedef {import('./candidate.js').Description} Description */
/** @typedef {import('./messages.js').WireCandidate} WireCandidate */
/** @typedef {import('./messages.js').WireDescription} WireDescription */
/** @typedef {import('../inspect/explain.js').PathChoice} PathChoice */
/** @typedef {'chat'|'files'|'bench'|'probe'} ChannelName */

/**
 * @typedef {object} SessionOptions
 * @property {number} number
 * @property {boolean} polite gives way when two offers cross
 * @property {PathChoice} choice
 * @property {import('./messages.js').ICEServer[]} iceServers
 * @property {(part: {description: WireDescription} | {candidate: WireCandidate}) => void} signal
 * @property {typeof RTCPeerConnection} RTCPeerConnection
 */

/** The channels of peer/PROTOCOL.md, by their ids. @type {{name: ChannelName, init: RTCDataChannelInit}[]} */
const CHANNELS = [
  { name: 'chat', init: { id: 0 } },
  { name: 'files', init: { id: 1 } },
  { name: 'bench', init: { id: 2 } },
  { name: 'probe', init: { id: 3, ordered: false, maxRetransmits: 0 } },
];
const MAX_CANDIDATES = 256; // of one side; nobody has more

/**
 * Fires 'channels' (they exist now), 'state' (anything of the connection's state changed), 'broken' (a channel closed),
 * 'local' and 'remote' (detail: Description, a candidate), 'gathered', 'negotiated' (detail: {type, mine}).
 */
export class Session extends EventTarget {
  /** @type {RTCPeerConnection} */
  pc;
  /** @type {Record<ChannelName, RTCDataChannel>|null} */
  channels = null;
  /** of the last gathering @type {Description[]} */
  localCandidates = [];
  /** what came from the other side since its last gathering began, also what the choice of path does not let through @type {Description[]} */
  remoteCandidates = [];
  number;
  choice;

  #options;
  #makingOffer = false;
  #ignoreOffer = false;
  #started = false;
  #endOfCandidates = '';
  /** of the candidates we have; another one is another gathering */
  #ufrags = { local: '', remote: '' };
  /** they came before the description they belong to @type {WireCandidate[]} */
  #early = [];
  /** what comes in is handled one after the other @type {Promise<void>} */
  #inbox = Promise.resolve();
  #closed = false;

  /** @param {SessionOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.number = options.number;
    this.choice = options.choice;
    this.pc = new options.RTCPeerConnection(configuration(options.iceServers, options.choice));
    const pc = this.pc;
    pc.onnegotiationneeded = () => this.#negotiate();
    pc.onicecandidate = (e) => this.#gathered(e.candidate);
    for (const event of ['connectionstatechange', 'iceconnectionstatechange', 'icegatheringstatechange', 'signalingstatechange']) {
      pc.addEventListener(event, () => this.#emit('state'));
    }
  }

  /** The offerer begins: its channels need negotiation, and that makes the offer. */
  start() {
    this.#started = true;
    this.#openChannels();
  }

  /** New credentials and a new gathering, over the same connection. */
  restartIce() { if (!this.#closed) this.pc.restartIce(); }

  /** @param {import('./messages.js').ICEServer[]} iceServers renewed credentials; the next gathering uses them */
  setServers(iceServers) {
    if (!this.#closed) this.pc.setConfiguration(configuration(iceServers, this.choice));
  }

  /**
   * A description or candidate from the other side.
   * @param {{description?: WireDescription, candidate?: WireCandidate}} part
   * @returns {Promise<void>} rejects when the description makes no sense
   */
  receive({ description, candidate }) {
    const done = this.#inbox.then(() => {
      if (this.#closed) return;
      if (description) return this.#described(description);
      if (candidate) return this.#trickled(candidate);
    });
    this.#inbox = done.catch(() => {});
    return done;
  }

  /** An offer of ours that nobody has answered. */
  get unanswered() { return this.pc.signalingState === 'have-local-offer'; }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.pc.onnegotiationneeded = this.pc.onicecandidate = null;
    this.pc.close();
  }

  async #negotiate() {
    // The answering side opens its channels too; what it then needs is already in the offer.
    if (!this.#started || this.#closed) return;
    try {
      this.#makingOffer = true;
      await this.pc.setLocalDescription();
      this.#tell();
    } catch (err) {
      if (!this.#closed) throw err;
    } finally {
      this.#makingOffer = false;
    }
  }

  /** @param {WireDescription} description */
  async #described(description) {
    const pc = this.pc;
    const offer = description.type === 'offer';
    const collision = offer && (this.#makingOffer || pc.signalingState !== 'stable');
    this.#ignoreOffer = collision && !this.#options.polite;
    if (this.#ignoreOffer) return;
    if (!offer && pc.signalingState !== 'have-local-offer') return; // an answer to an offer we took back
    const ufrag = ufragOf(description.sdp);
    if (this.#ufrags.remote && ufrag !== this.#ufrags.remote) this.remoteCandidates = [];
    this.#ufrags.remote = ufrag;
    for (const line of candidatesIn(description.sdp)) this.#remember(line);
    await pc.setRemoteDescription({ type: description.type, sdp: filterDescription(description.sdp, this.choice) });
    if (this.#closed) return;
    const early = this.#early;
    this.#early = [];
    for (const candidate of early) await this.#add(candidate);
    this.#emit('negotiated', { type: description.type, mine: false });
    if (!offer || this.#closed) return;
    this.#started = true;
    this.#openChannels();
    await pc.setLocalDescription();
    this.#tell();
  }

  /** @param {WireCandidate} candidate */
  async #trickled(candidate) {
    if (candidate.candidate) this.#remember(candidate.candidate);
    if (!candidateAllowed(candidate.candidate, this.choice)) return;
    if (this.pc.remoteDescription) return this.#add(candidate);
    if (this.#early.length < MAX_CANDIDATES) this.#early.push(candidate);
  }

  /** @param {WireCandidate} candidate */
  async #add(candidate) {
    if (this.#closed || this.remoteCandidates.length > MAX_CANDIDATES) return;
    const init = { ...candidate };
    // One of the two must say which section it is for; there is only one.
    if (init.sdpMid == null && init.sdpMLineIndex == null) init.sdpMLineIndex = 0;
    try {
      await this.pc.addIceCandidate(init);
    } catch {
      // Of an offer that was ignored, of a generation that is over, or nonsense: the others may still do.
    }
  }

  /** @param {string} line */
  #remember(line) {
    const candidate = parseCandidate(line);
    if (!candidate || this.remoteCandidates.length > MAX_CANDIDATES) return;
    this.remoteCandidates.push(candidate);
    this.#emit('remote', candidate);
  }

  #tell() {
    const description = this.pc.localDescription;
    if (!description || this.#closed || (description.type !== 'offer' && description.type !== 'answer')) return;
    const { type, sdp } = description;
    this.#options.signal({ description: { type, sdp: filterDescription(sdp, this.choice) } });
    this.#emit('negotiated', { type, mine: true });
  }

  /** @param {RTCIceCandidate|null} candidate */
  #gathered(candidate) {
    if (this.#closed) return;
    if (!candidate?.candidate) return this.#gatheredAll();
    const url = /** @type {{url?: string|null}} */ (candidate).url ?? '';
    const parsed = parseCandidate(candidate.candidate, url ?? '');
    const ufrag = candidate.usernameFragment ?? '';
    if (ufrag !== this.#ufrags.local) this.localCandidates = [];
    this.#ufrags.local = ufrag;
    if (parsed && this.localCandidates.length < MAX_CANDIDATES) {
      this.localCandidates.push(parsed);
      this.#emit('local', parsed);
    }
    if (candidateAllowed(candidate.candidate, this.choice)) this.#options.signal({ candidate: wire(candidate) });
  }

  /** Some browsers say it by an empty candidate, all by null; the other side is told once a generation. */
  #gatheredAll() {
    const sdp = this.pc.localDescription?.sdp ?? '';
    const ufrag = ufragOf(sdp);
    if (ufrag === this.#endOfCandidates) return;
    this.#endOfCandidates = ufrag;
    this.#options.signal({ candidate: { candidate: '', sdpMid: /^a=mid:(\S+)/m.exec(sdp)?.[1] ?? '0', sdpMLineIndex: 0, usernameFragment: ufrag } });
    this.#emit('gathered');
  }

  #openChannels() {
    if (this.channels) return;
    const channels = /** @type {Record<ChannelName, RTCDataChannel>} */ ({});
    for (const { name, init } of CHANNELS) {
      const channel = this.pc.createDataChannel(name, { ...init, negotiated: true });
      channel.addEventListener('open', () => this.#emit('state'));
      channel.addEventListener('close', () => { if (!this.#closed) this.#emit('broken'); });
      channels[name] = channel;
    }
    this.channels = channels;
    this.#emit('channels');
  }

  /** @param {string} name @param {unknown} [detail] */
  #emit(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}

/** @param {string} sdp */
function ufragOf(sdp) { return /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1] ?? ''; }

/** @param {RTCIceCandidate} candidate @returns {WireCandidate} */
function wire({ candidate, sdpMid, sdpMLineIndex, usernameFragment }) {
  return { candidate, sdpMid, sdpMLineIndex, usernameFragment };
}
