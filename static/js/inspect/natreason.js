// @ts-check
// What the NATs before two peers have to do with the path between them: parts of the sentence about it. What was
// measured of the path comes first; the rule about NATs is only asked why.
import { bothNATs, needs } from './natwords.js';
import { isKnown, predict, strays } from './predict.js';

/** @typedef {import('../net/messages.js').NAT} NAT */
/** @typedef {{mine: NAT|null, theirs: NAT|null}} NATs */

/**
 * Why no direct pair of addresses answered: `because` if it follows from the NATs, else `more`, a sentence that they
 * are worth. Both may be empty.
 * @param {NATs} nats @param {string} name
 */
export function noDirect({ mine, theirs }, name) {
  if (!isKnown(mine) || !isKnown(theirs)) return { because: '', more: '' };
  const prediction = predict(mine, theirs, false);
  if (prediction.reason === 'blocked') return { because: '', more: '' };
  const both = bothNATs(mine, theirs, name), missing = needs(prediction, mine, theirs, name);
  if (prediction.outcome === 'failed') return { because: `${both}: ${missing}`, more: '' };
  if (prediction.outcome === 'direct') {
    return { because: '', more: ` That is not for the NATs (${both}), by which it would be direct; a firewall may be in the way.` };
  }
  const seems = strays(mine) || strays(theirs) ? `: ${missing}, and that seems not to be so` : '; whether they let each other in is not known';
  return { because: '', more: ` ${capital(both)}${seems}.` };
}

/** What the NATs have to do with a direct path through them. @param {NATs} nats @param {string} name */
export function direct({ mine, theirs }, name) {
  if (!isKnown(mine) || !isKnown(theirs)) return '';
  const { outcome, reason } = predict(mine, theirs, false);
  if (reason === 'blocked') return ' The STUN server was not heard over UDP on one side, but this path shows that UDP gets through.';
  const both = bothNATs(mine, theirs, name);
  if (outcome === 'failed') return ` By rule that would not be, as ${both}; but what is measured counts.`;
  if (reason === 'kept' && outcome === 'direct') return ` ${capital(both)}: each sends from the port that STUN saw.`;
  if (reason === 'let-in' && outcome === 'direct') return ` ${capital(both)}: one side sends from a port that STUN never saw, and the other lets it in.`;
  return ` ${capital(both)}.`;
}

/** @type {Record<import('./predict.js').Outcome, string>} */
const outcomes = { direct: 'A direct path comes about', failed: 'No direct path comes about', relayed: '', unknown: 'It depends on what is not known of them' };

/**
 * What the rule says of two different NATs, and whether it came true; '' where it says nothing.
 * @param {NAT|null} mine @param {NAT|null} theirs @param {boolean|null} direct what came, if that tells
 */
export function ruled(mine, theirs, direct) {
  const { outcome, reason } = predict(mine, theirs, false);
  if (reason === 'not-known') return '';
  const told = direct !== null && outcome !== 'unknown';
  const came = !told ? '' : direct === (outcome === 'direct') ? ' So it is.' : ' It came otherwise, and what is measured counts.';
  return `${outcomes[outcome]}.${came}`;
}

/** @param {string} words */
export function capital(words) { return words.charAt(0).toUpperCase() + words.slice(1); }
