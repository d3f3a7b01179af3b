// A WebSocket in memory, and the server's end of it.

/** @returns {{WebSocket: any, sockets: any[]}} the class to inject, and what it made, newest last */
export function fakeWebSocket() {
  const sockets = [];
  class FakeWebSocket {
    bufferedAmount = 0;
    sent = [];
    closed = false;
    onopen = null;
    onmessage = null;
    onclose = null;
    constructor(url) {
      this.url = url;
      sockets.push(this);
    }
    send(text) { this.sent.push(JSON.parse(text)); }
    close() { this.closed = true; }
    // The server's side.
    accept() { this.onopen?.(); }
    say(message) { this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) }); }
    break() { this.onclose?.({ code: 1006 }); }
  }
  return { WebSocket: FakeWebSocket, sockets };
}

export const peer = (id, order, kind = 'browser') => ({ id, name: `name of ${id}`, kind, order });

export const welcome = (fields = {}) => ({
  type: 'welcome', v: 1, room: 'r', self: peer('me', 1), peers: [], iceServers: [], iceTTL: 3600,
  resume: 'token-1', resumed: false, resumeWindow: 30, maxPeers: 8, ...fields,
});
