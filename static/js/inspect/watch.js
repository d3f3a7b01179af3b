// @ts-check
// Puts into the record what one session shows of itself: its states, its candidates, and from one snapshot to the next
// the first check and the first answer of each pair, the pair that was selected, round trips and throughput.
import { describeCandidate } from './stats.js';

/** @typedef {import('./stats.js').Snapshot} Snapshot */
/** @typedef {import('./stats.js').Pair} Pair */
/** @typedef {import('./recorder.js').Layer} Layer */
/** @typedef {import('../net/candidate.js').Description} Description */

const SAMPLE = 950; // ms between samples; snapshots come more often while it connects

/** Lives as long as its session. */
export class Watch {
  #recorder;
  #session;
  #peer;
  /** @type {Record<string, string>} */
  #attrs;
  #listeners = new AbortController();
  /** what has been recorded of each pair @type {Map<string, Set<string>>} */
  #pairs = new Map();
  /** the last value of each state @type {Map<string, string>} */
  #states = new Map();
  #selected = '';
  #sampledAt = -Infinity;
  /** @type {(text?: string) => void} */
  #endSetup;

  /**
   * @param {import('./recorder.js').Recorder} recorder
   * @param {import('../net/session.js').Session} session
   * @param {string} peer its name, the lane
   */
  constructor(recorder, session, peer) {
    this.#recorder = recorder;
    this.#session = session;
    this.#peer = peer;
    this.#attrs = { peer, session: String(session.number) };
    this.#endSetup = recorder.span({ layer: 'app', from: 'me', name: `connect to ${peer}`, attrs: this.#attrs });
    const { signal } = this.#listeners;
    session.addEventListener('local', (e) => this.#gathered(/** @type {CustomEvent<Description>} */ (e).detail), { signal });
    session.addEventListener('gathered', () => this.#note('ice', 'All candidates are gathered.'), { signal });
    session.addEventListener('channels', () => this.#watchChannels(), { signal });
    session.addEventListener('state', () => this.#update(), { signal });
    this.#update();
  }

  /** @param {string} text one sentence about this session */
  note(text) { this.#note('ice', text); }

  /** @param {Snapshot} snapshot the newest of this session */
  observe(snapshot) {
    for (const pair of snapshot.pairs) this.#observePair(pair);
    this.#state('dtls', 'DTLS', snapshot.dtls);
    this.#state('sctp', 'SCTP', snapshot.sctp);
    const { selected } = snapshot;
    if (selected && selected.id !== this.#selected) {
      this.#selected = selected.id;
      this.#state('ice', 'path', `${describeCandidate(selected.local)} ↔ ${describeCandidate(selected.remote)}`);
    }
    if (snapshot.at - this.#sampledAt < SAMPLE || !selected) return;
    this.#sampledAt = snapshot.at;
    if (snapshot.rtt !== null) this.#sample('rtt', snapshot.rtt, 'ms');
    this.#sample('send rate', snapshot.sendRate, 'B/s');
    this.#sample('receive rate', snapshot.receiveRate, 'B/s');
  }

  /** The session is over. */
  end() {
    this.#listeners.abort();
    this.#endSetup('given up');
    for (const [key] of this.#states) this.#recorder.state({ from: 'me', name: key, text: '' });
    this.#states.clear();
  }

  #update() {
    const { pc, channels } = this.#session;
    this.#state('ice', 'gathering', pc.iceGatheringState);
    this.#state('ice', 'ICE', pc.iceConnectionState);
    this.#state('app', 'connection', pc.connectionState);
    this.#state('app', 'negotiation', pc.signalingState);
    if (pc.connectionState === 'failed') this.#endSetup('failed');
    if (channels && Object.values(channels).every((channel) => channel.readyState === 'open')) this.#endSetup('connected');
  }

  #watchChannels() {
    const { signal } = this.#listeners;
    for (const [name, channel] of Object.entries(this.#session.channels ?? {})) {
      const record = (/** @type {string} */ what) => this.#recorder.message({
        layer: 'sctp', from: this.#peer, to: 'me', name: what, text: `data channel ${name}`, attrs: this.#attrs,
      });
      channel.addEventListener('open', () => this.#state('sctp', `channel ${name}`, 'open'), { signal, once: true });
      channel.addEventListener('close', () => this.#state('sctp', `channel ${name}`, 'closed'), { signal, once: true });
      channel.addEventListener('message', () => record('first message'), { signal, once: true });
    }
  }

  /** A candidate is the trace of an answer from a STUN or TURN server. @param {Description} candidate */
  #gathered(candidate) {
    const text = describeCandidate(candidate);
    const attrs = { ...this.#attrs, ...(candidate.url && { url: candidate.url }) };
    if (candidate.type === 'srflx') {
      this.#recorder.message({ layer: 'ice', from: 'server', to: 'me', name: 'STUN: your address', text, attrs });
    } else if (candidate.type === 'relay') {
      this.#recorder.message({ layer: 'turn', from: 'relay', to: 'me', name: 'TURN: your relayed address', text, attrs });
    } else {
      this.#recorder.state({ layer: 'ice', from: 'me', name: `candidate ${text}`, text: 'gathered', attrs });
    }
  }

  /** @param {Pair} pair */
  #observePair(pair) {
    const text = `${describeCandidate(pair.local)} → ${describeCandidate(pair.remote)}`;
    const relayed = pair.local?.type === 'relay' || pair.remote?.type === 'relay';
    const attrs = { ...this.#attrs, pair: pair.id, ...(relayed && { via: 'relay' }) };
    const layer = /** @type {Layer} */ ('ice');
    this.#once(pair, 'asked', pair.requestsSent > 0, () =>
      this.#recorder.message({ layer, from: 'me', to: this.#peer, name: 'check', text, attrs }));
    this.#once(pair, 'was asked', pair.requestsReceived > 0, () =>
      this.#recorder.message({ layer, from: this.#peer, to: 'me', name: 'check', text, attrs }));
    this.#once(pair, 'answered', pair.responsesReceived > 0, () =>
      this.#recorder.message({ layer, from: this.#peer, to: 'me', name: 'check answered', text, attrs }));
    this.#once(pair, 'nominated', pair.nominated, () =>
      this.#recorder.note({ layer, from: 'me', text: `Nominated: ${text}`, attrs }));
    this.#once(pair, 'failed', pair.state === 'failed', () =>
      this.#recorder.note({ layer, from: 'me', text: `No answer: ${text}`, attrs }));
  }

  /** @param {Pair} pair @param {string} what @param {boolean} now @param {() => void} record */
  #once(pair, what, now, record) {
    if (!now) return;
    let done = this.#pairs.get(pair.id);
    if (!done) this.#pairs.set(pair.id, done = new Set());
    if (done.has(what)) return;
    done.add(what);
    record();
  }

  /** @param {Layer} layer @param {string} name @param {string} text */
  #state(layer, name, text) {
    const key = `${name} (${this.#peer})`;
    if (!text || this.#states.get(key) === text) return;
    this.#states.set(key, text);
    this.#recorder.state({ layer, from: 'me', name: key, text, attrs: this.#attrs });
  }

  /** @param {string} name @param {number} value @param {string} unit */
  #sample(name, value, unit) {
    this.#recorder.sample({ layer: 'app', from: this.#peer, name, value, unit, attrs: this.#attrs });
  }

  /** @param {Layer} layer @param {string} text */
  #note(layer, text) { this.#recorder.note({ layer, from: 'me', text, attrs: this.#attrs }); }
}
