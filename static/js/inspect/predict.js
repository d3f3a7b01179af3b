// @ts-check
// What becomes of two peers by the NATs before them, the rule of nat.Predict, from what peers tell each other
// (signaling/PROTOCOL.md). Pure. The tests of both read the same table, nat/testdata/predictions.json.

/** @typedef {import('../net/messages.js').NAT} NAT */
/** @typedef {'direct'|'relayed'|'failed'|'unknown'} Outcome */
/**
 * Why: a side whose NAT is not known, or that gets no UDP through; both keep the port that STUN saw, or one strays from
 * it and the other lets that in, or not; both stray, and meet all the same, or not.
 * @typedef {'not-known'|'blocked'|'kept'|'let-in'|'refused'|'strangers-met'|'strangers'} Reason
 */
/** @typedef {{outcome: Outcome, reason: Reason, needs: Reason|null}} Prediction needs: how it may fail; null if it cannot */
/** @typedef {{mapping: string, filtering: string}} Side fully known */

const DEPENDENCES = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent'];

/**
 * Of two peers behind different NATs, who both have a STUN server. What is known in part gives an outcome only if all
 * that it may be agree.
 * @param {NAT|null} a @param {NAT|null} b @param {boolean} turn there is a relay
 * @returns {Prediction}
 */
export function predict(a, b, turn) {
  /** @type {Outcome} */
  const fails = turn ? 'relayed' : 'failed';
  if (a?.mapping === 'udp-blocked' || b?.mapping === 'udp-blocked') return { outcome: fails, reason: 'blocked', needs: 'blocked' };
  if (!isKnown(a) || !isKnown(b)) return { outcome: 'unknown', reason: 'not-known', needs: null };
  const reasons = possible(a).flatMap((x) => possible(b).map((y) => meet(x, y)));
  const bad = reasons.filter(isFailure);
  if (bad.length === 0) return { outcome: 'direct', reason: reasons[0], needs: null };
  if (bad.length === reasons.length) return { outcome: fails, reason: bad[0], needs: bad[0] };
  return { outcome: 'unknown', reason: bad[0], needs: bad[0] };
}

/** @param {NAT|null|undefined} nat @returns {nat is NAT} */
export function isKnown(nat) { return !!nat && nat.mapping !== 'unknown'; }

/** Its packets come from an address that STUN never saw, for sure. @param {NAT} nat */
export function strays({ mapping }) { return mapping === 'address-dependent' || mapping === 'address-and-port-dependent'; }

/** @param {Reason} reason */
function isFailure(reason) { return reason === 'refused' || reason === 'strangers'; }

/** All that a side known in part may be. @param {NAT} nat @returns {Side[]} */
function possible({ mapping, filtering = '' }) {
  return mayBe(mapping === 'none' ? 'endpoint-independent' : mapping).flatMap((m) => mayBe(filtering).map((f) => ({ mapping: m, filtering: f })));
}

/** @param {string} dependence */
function mayBe(dependence) {
  if (dependence === '') return DEPENDENCES;
  return dependence === 'not-port-dependent' ? DEPENDENCES.slice(0, 2) : [dependence];
}

/** Each sends to the address that STUN saw of the other. @param {Side} a @param {Side} b @returns {Reason} */
function meet(a, b) {
  const aKeeps = a.mapping === 'endpoint-independent', bKeeps = b.mapping === 'endpoint-independent';
  if (aKeeps && bKeeps) return 'kept';
  if (aKeeps || bKeeps) return (aKeeps ? a : b).filtering === 'address-and-port-dependent' ? 'refused' : 'let-in';
  // The port that STUN saw lets nobody in but STUN, unless the filter is open; the answer has to get in as well.
  const [open, other] = a.filtering === 'endpoint-independent' ? [a, b] : [b, a];
  const met = open.filtering === 'endpoint-independent' && other.filtering !== 'address-and-port-dependent' &&
    (a.mapping === 'address-dependent' || b.mapping === 'address-dependent');
  return met ? 'strangers-met' : 'strangers';
}
