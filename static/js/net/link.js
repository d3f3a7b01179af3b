// @ts-check
// One remote peer over all its sessions: starts them, mends them, and hands their channels to the conversations.
import { explain } from '../inspect/explain.js';
import { snapshot } from '../inspect/stats.js';
import { Watch } from '../inspect/watch.js';
import { Bench } from './bench.js';
import { Chat } from './chat.js';
import { Files } from './files.js';
import { offersTo, politeTo } from './messages.js';
import { Recovery } from './recovery.js';
import { Session } from './session.js';

/** @typedef {import('./messages.js').Peer} Peer */
/** @typedef {import('./messages.js').ICEServer} ICEServer */
/** @typedef {import('../inspect/stats.js').Snapshot} Snapshot */
/** @typedef {import('../inspect/explain.js').Explanation} Explanation */
/** @typedef {import('../inspect/explain.js').PathChoice} PathChoice */
/** @typedef {'new'|'connecting'|'connected'|'interrupted'|'failed'|'closed'} LinkState */

const SETUP_POLL = 100; // ms between snapshots until SETTLED after it connected
const POLL = 1000;
const SETTLED = 2000;
// After that long without a connection it is said to have failed, though the attempts go on.
const FAILED_AFTER = 14_000; // ms
// A peer that starts sessions all the time would have us make connections until the browser refuses.
const SESSIONS = 30; // a minute
const RESTARTS = 1000; // ms between two ICE restarts the other side asks for

/**
 * @typedef {object} LinkOptions
 * @property {Peer} self
 * @property {Peer} peer
 * @property {ICEServer[]} iceServers
 * @property {PathChoice} choice
 * @property {(msg: import('./messages.js').ClientMessage) => void} send to the room
 * @property {() => boolean} online the room can be reached
 * @property {() => void} suspect the room does not seem to hear us
 * @property {() => import('./messages.js').NAT|null} [nat] what we found out about our own
 * @property {import('../inspect/recorder.js').Recorder} [recorder]
 * @property {typeof RTCPeerConnection} [RTCPeerConnection] the tests bring their own
 */

/** Fires 'change', and 'stats' (detail: Snapshot) each second, ten times as often while it connects. */
export class Link extends EventTarget {
  /** @type {Peer} */
  peer;
  /** the peer lost its socket to the room */
  away = false;
  /** @type {LinkState} */
  state = 'new';
  /** number of the current session, 0 before the first */
  session = 0;
  /** @type {Snapshot|null} */
  stats = null;
  /** @type {Explanation} */
  explanation = { path: 'unknown', sentence: '', change: [], rule: '' };
  /** what the user chose @type {PathChoice} */
  choice;
  chat = new Chat();
  files = new Files();
  /** @type {Bench} */
  bench;

  #options;
  #offerer;
  #recovery;
  /** @type {Session|null} */
  #session = null;
  /** @type {Watch|null} */
  #watch = null;
  #ever = false;
  #failed = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #failing;
  #closed = false;
  #connectionState = '';
  #connectedAt = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #poll;
  /** when the last sessions began @type {number[]} */
  #begun = [];
  #restartedAt = -Infinity;
  /** the session we had when we last wanted a new one */
  #asked = -1;
  #failureExplained = false;

  /** @param {LinkOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.peer = options.peer;
    this.choice = options.choice;
    this.#offerer = offersTo(options.self, options.peer);
    this.bench = new Bench(this.#offerer);
    this.#recovery = new Recovery({
      offerer: this.#offerer,
      restart: () => this.restartIce(),
      renew: () => {
        if (this.#unheard()) this.#options.suspect();
        this.#renew();
      },
      reachable: () => !this.away && options.online(),
    });
  }

  /** @returns {RTCPeerConnection|null} of the current session */
  get pc() { return this.#session?.pc ?? null; }

  /** @returns {import('../inspect/explain.js').Path} */
  get path() { return this.state === 'connected' ? this.explanation.path : 'unknown'; }

  /** Candidates of this session as they came, what was not used included. */
  get candidates() {
    return { local: this.#session?.localCandidates ?? [], remote: this.#session?.remoteCandidates ?? [] };
  }

  /** The offerer begins; the other one waits for it, but not for ever. */
  begin() {
    if (this.#offerer) this.#open(1);
    else this.#recovery.started();
    this.#update();
  }

  /** New credentials and a new look for a path; the channels stay open. */
  restartIce() {
    this.#watch?.note('ICE restart');
    this.#session?.restartIce();
  }

  /** A new connection in place of the one there is. */
  newSession() {
    if (this.#closed) return;
    this.#failed = false;
    this.#stopWaiting();
    this.#renew();
    this.#update();
  }

  /**
   * Which paths may be used. It takes a new session: over the old one the old path would linger.
   * @param {PathChoice} choice
   */
  setPath(choice) {
    if (this.#closed || choice === this.choice) return;
    this.choice = choice;
    this.newSession();
  }

  /** @param {ICEServer[]} iceServers renewed */
  setServers(iceServers) {
    this.#options.iceServers = iceServers;
    this.#session?.setServers(iceServers);
  }

  /** @param {boolean} away */
  setAway(away) {
    if (this.away === away) return;
    this.away = away;
    if (!away) this.#recovery.back();
    this.#change();
  }

  /** What the peer found out about its NAT, or we about ours. @param {import('./messages.js').NAT} [theirs] */
  natKnown(theirs) {
    if (theirs) this.peer = { ...this.peer, nat: theirs };
    this.#explain();
    this.#change();
  }

  /** What each side found out about its NAT. @returns {import('../inspect/natreason.js').NATs} */
  get nats() { return { mine: this.#options.nat?.() ?? null, theirs: this.peer.nat ?? null }; }

  /** We can reach the room again. */
  roomBack() { this.#recovery.back(); }

  /** We are on another network, perhaps. */
  networkChanged() {
    if (this.state === 'connected') this.restartIce();
    else this.#recovery.back();
  }

  /** @param {import('./messages.js').Signal} signal from this peer */
  receive(signal) {
    if (this.#closed) return;
    if (signal.want) return this.#wanted(signal);
    if (signal.session < this.session) return; // of a connection that is over
    const offer = signal.description?.type === 'offer';
    if (offer && this.peer.kind === 'go') return; // only we offer in such a pair
    if (signal.session > this.session) {
      if (this.#offerer || !offer || !this.#affordable()) return;
      this.#open(signal.session);
    }
    const session = this.#session;
    session?.receive(signal).catch((/** @type {Error} */ err) => {
      if (session !== this.#session) return;
      this.#watch?.note(`The ${signal.description?.type} cannot be used: ${err.message}`);
      this.#recovery.broken();
    });
  }

  /** The peer left, or we do. @param {string} [reason] */
  close(reason = 'The connection was closed.') {
    if (this.#closed) return;
    this.#closed = true;
    this.#recovery.close();
    this.#stopWaiting();
    this.#drop();
    this.files.close(reason);
    this.#update();
  }

  #renew() {
    if (this.#offerer) this.#open(this.session + 1);
    else this.#send({ want: 'new-session' });
  }

  /** @param {import('./messages.js').Signal} signal */
  #wanted(signal) {
    if (!this.#offerer || signal.session !== this.session) return; // it is over, or another one is on its way
    if (signal.want === 'new-session') {
      if (this.#affordable()) this.#renew();
    } else if (performance.now() - this.#restartedAt > RESTARTS) {
      this.#restartedAt = performance.now();
      this.restartIce();
    }
  }

  /** Nothing came back to what we said last: it may be our own socket that is dead. */
  #unheard() {
    const unheard = this.#offerer ? this.#session?.unanswered === true : this.#asked === this.session;
    this.#asked = this.session;
    return unheard;
  }

  /** One more session now is not too many. */
  #affordable() {
    const now = performance.now();
    this.#begun = this.#begun.filter((at) => now - at < 60_000);
    return this.#begun.length < SESSIONS;
  }

  /** @param {number} number */
  #open(number) {
    this.#drop();
    this.#begun.push(performance.now());
    this.session = number;
    const session = new Session({
      number,
      polite: politeTo(this.#options.self, this.peer),
      choice: this.choice,
      iceServers: this.#options.iceServers,
      signal: (part) => { if (session === this.#session) this.#send(part); },
      RTCPeerConnection: this.#options.RTCPeerConnection ?? globalThis.RTCPeerConnection,
    });
    this.#session = session;
    this.#connectionState = '';
    this.#watch = this.#options.recorder ? new Watch(this.#options.recorder, session, this.peer.name) : null;
    session.addEventListener('channels', () => this.#attach(session));
    session.addEventListener('state', () => this.#update());
    session.addEventListener('broken', () => { this.#recovery.broken(); this.#update(); });
    this.#recovery.started();
    if (this.#offerer) session.start();
    this.#observe();
    this.#update();
  }

  #drop() {
    clearTimeout(this.#poll);
    this.chat.detach();
    this.files.detach();
    this.bench.detach();
    this.bench.probe.detach();
    this.#watch?.end();
    this.#watch = null;
    const session = this.#session;
    this.#session = null;
    this.stats = null;
    session?.close();
  }

  /** @param {Session} session */
  #attach({ channels }) {
    if (!channels) return;
    this.chat.attach(channels.chat);
    this.files.attach(channels.files);
    this.bench.attach(channels.bench);
    this.bench.probe.attach(channels.probe);
  }

  /** @param {Partial<import('./messages.js').ClientMessage>} part */
  #send(part) {
    this.#options.send({ ...part, type: 'signal', to: this.peer.id, session: Math.max(1, this.session) });
  }

  /** Looks at the connection, tells the recovery what changed, and works out our own state. */
  #update() {
    const session = this.#session;
    const connectionState = session?.pc.connectionState ?? '';
    const open = session?.channels ? Object.values(session.channels).every((channel) => channel.readyState === 'open') : false;
    const connected = connectionState === 'connected' && open;
    if (connected) {
      if (this.state !== 'connected') this.#connectedAt = performance.now();
      this.#ever = true;
      this.#failed = false;
      this.#stopWaiting();
      this.#recovery.connected();
    } else if (session && connectionState !== this.#connectionState) {
      if (connectionState === 'disconnected') this.#recovery.disconnected();
      if (connectionState === 'failed') this.#onFailed(session);
    }
    if (!connected && !this.#closed) this.#failing ??= setTimeout(() => this.#giveUp(), FAILED_AFTER);
    this.#connectionState = connectionState;
    const before = this.state;
    this.state = this.#work(connected);
    if (this.state !== before) this.#explain();
    this.#change();
  }

  /** @param {Session} session */
  #onFailed(session) {
    if (!this.#ever) this.#failed = true;
    // With a path there and the connection failed all the same, it was DTLS, and no other path will help.
    if (['connected', 'completed'].includes(session.pc.iceConnectionState)) this.#recovery.broken();
    else this.#recovery.failed();
  }

  /** @param {boolean} connected @returns {LinkState} */
  #work(connected) {
    if (this.#closed) return 'closed';
    if (connected) return 'connected';
    if (this.#failed) return 'failed';
    if (this.#ever) return 'interrupted';
    return this.session === 0 ? 'new' : 'connecting';
  }

  #giveUp() {
    this.#failed = true;
    this.#update();
  }

  #stopWaiting() {
    clearTimeout(this.#failing);
    this.#failing = undefined;
  }

  /** Takes a snapshot now and again, until the session is over. */
  async #observe() {
    const session = this.#session;
    if (!session) return;
    const stats = await snapshot(session.pc, this.stats).catch(() => null); // a closed connection has none
    if (session !== this.#session) return;
    if (stats) {
      this.stats = stats;
      this.#watch?.observe(stats);
      this.#explain();
      this.dispatchEvent(new CustomEvent('stats', { detail: stats }));
    }
    const settled = this.state === 'connected' && performance.now() - this.#connectedAt > SETTLED;
    const failed = this.state === 'failed' && session.pc.connectionState !== 'connecting';
    this.#poll = setTimeout(() => this.#observe(), settled || failed ? POLL : SETUP_POLL);
  }

  #explain() {
    // While another attempt gathers, what the failed one showed is worth more.
    if (this.state === 'failed' && this.#failureExplained && this.stats?.ice !== 'failed') return;
    this.#failureExplained = this.state === 'failed' && this.stats !== null;
    const before = this.explanation;
    this.explanation = explain({
      snapshot: this.stats,
      path: this.choice,
      localCandidates: this.#session?.localCandidates ?? [],
      remoteCandidates: this.#session?.remoteCandidates ?? [],
      name: this.peer.name,
      state: this.state,
      nats: this.nats,
    });
    if (this.explanation.sentence === before.sentence && this.explanation.rule === before.rule) return;
    if (this.explanation.sentence !== before.sentence && this.explanation.path !== 'unknown') this.#watch?.note(this.explanation.sentence);
    this.#change();
  }

  #change() { this.dispatchEvent(new CustomEvent('change')); }
}
