// An RTCPeerConnection in memory: the signaling state machine with implicit rollback, negotiationneeded, candidates
// and data channels, as far as the negotiation can tell the difference. Connections that can reach each other connect
// once each holds the other's newest description; `broken` makes a network over which nobody reaches anybody.

class Channel extends EventTarget {
  readyState = 'connecting';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  binaryType = 'blob';
  other = null;
  constructor(label, init) { super(); this.label = label; this.id = init.id; }
  open(other) {
    this.other = other;
    this.readyState = 'open';
    queueMicrotask(() => this.dispatchEvent(new Event('open')));
  }
  send(data) {
    if (this.readyState !== 'open') throw new Error('InvalidStateError');
    const copy = typeof data === 'string' ? data : data.slice().buffer;
    setImmediate(() => this.other.dispatchEvent(new MessageEvent('message', { data: copy })));
  }
  shut() {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    setImmediate(() => this.dispatchEvent(new Event('close')));
  }
  close() { this.shut(); this.other?.shut(); }
}

/** @returns a world: the class to inject, every connection ever made, and its faults */
export function fakeNetwork() {
  const world = { all: [], broken: false, offers: 0, rollbacks: 0, RTCPeerConnection: null };

  world.RTCPeerConnection = class extends EventTarget {
    signalingState = 'stable';
    connectionState = 'new';
    iceConnectionState = 'new';
    iceGatheringState = 'new';
    localDescription = null;
    remoteDescription = null;
    sctp = null;
    onnegotiationneeded = null;
    onicecandidate = null;
    channels = new Map();
    candidates = [];
    #generation = 0;
    #restart = false;
    #needed = false;
    #stable = { local: null, remote: null };

    constructor(config) {
      super();
      this.config = config;
      this.n = world.all.push(this);
    }
    setConfiguration(config) { this.config = config; }
    getStats() { return Promise.resolve(new Map()); }
    createDataChannel(label, init) {
      const channel = new Channel(label, init);
      this.channels.set(init.id, channel);
      if (!this.localDescription && !this.remoteDescription) this.#need();
      return channel;
    }
    restartIce() { this.#restart = true; this.#need(); }

    #need() {
      if (this.#needed) return;
      this.#needed = true;
      queueMicrotask(() => this.#fire());
    }
    #fire() {
      if (!this.#needed || this.signalingState !== 'stable') return;
      this.#needed = false;
      this.onnegotiationneeded?.();
    }
    async setLocalDescription() {
      await null;
      const answer = this.signalingState === 'have-remote-offer';
      if (answer || this.#restart || this.#generation === 0) { this.#generation++; this.#restart = false; }
      const sdp = `v=0\r\na=mid:0\r\na=ice-ufrag:u${this.n}g${this.#generation}\r\nx=${this.n}\r\n`;
      this.localDescription = { type: answer ? 'answer' : 'offer', sdp };
      if (!answer) world.offers++;
      this.#state(answer ? 'stable' : 'have-local-offer');
      setImmediate(() => this.#gather());
    }
    async setRemoteDescription({ type, sdp }) {
      if (!sdp.startsWith('v=0')) throw new Error('InvalidAccessError');
      if (type === 'answer' && this.signalingState !== 'have-local-offer') throw new Error('InvalidStateError');
      await null;
      if (type === 'offer' && this.signalingState === 'have-local-offer') {
        world.rollbacks++;
        this.localDescription = this.#stable.local;
        if (!this.localDescription) this.#needed = true;
      }
      this.remoteDescription = { type, sdp };
      this.#state(type === 'offer' ? 'have-remote-offer' : 'stable');
    }
    async addIceCandidate(candidate) {
      if (!this.remoteDescription) throw new Error('InvalidStateError');
      if (candidate.sdpMid == null && candidate.sdpMLineIndex == null) throw new TypeError('neither mid nor index');
      this.candidates.push(candidate.candidate);
    }
    #gather() {
      if (this.connectionState === 'closed') return;
      const make = (candidate) => ({ candidate, sdpMid: '0', sdpMLineIndex: 0, usernameFragment: null });
      const relay = this.config.iceTransportPolicy === 'relay';
      if (!relay) this.onicecandidate?.({ candidate: make(`candidate:1 1 udp 2122 10.0.0.${this.n} 5000 typ host`) });
      this.onicecandidate?.({ candidate: make(`candidate:2 1 udp 1000 192.0.2.9 ${50000 + this.n} typ relay raddr 0.0.0.0 rport 0`) });
      this.onicecandidate?.({ candidate: null });
    }
    #state(state) {
      this.signalingState = state;
      this.dispatchEvent(new Event('signalingstatechange'));
      if (state !== 'stable') return;
      this.#stable = { local: this.localDescription, remote: this.remoteDescription };
      queueMicrotask(() => this.#fire());
      const other = world.all[Number(/x=(\d+)/.exec(this.remoteDescription.sdp)[1]) - 1];
      if (other.signalingState !== 'stable' || other.remoteDescription?.sdp !== this.localDescription.sdp) return;
      if (world.broken || this.connectionState === 'closed' || other.connectionState === 'closed') return;
      for (const pc of [this, other]) pc.become('connected');
      for (const [id, channel] of this.channels) {
        const peer = other.channels.get(id);
        if (channel.readyState !== 'connecting' || !peer) continue;
        channel.open(peer);
        peer.open(channel);
      }
    }
    become(state) {
      if (this.connectionState === 'closed' || this.connectionState === state) return;
      this.connectionState = this.iceConnectionState = state;
      this.dispatchEvent(new Event('connectionstatechange'));
    }
    close() {
      if (this.connectionState === 'closed') return;
      this.connectionState = this.iceConnectionState = 'closed';
      this.signalingState = 'closed';
      for (const channel of this.channels.values()) channel.close();
    }
  };
  return world;
}
