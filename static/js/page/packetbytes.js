// @ts-check
// Where the page of a run gets the bytes of its packets from.

/** @typedef {import('../view/dissection.js').Dissected} Dissected */

/** @param {string} run @returns {(number: number) => Promise<Dissected>} */
export function packetsOf(run) {
  return async (number) => {
    const answer = await fetch(`/runs/${encodeURIComponent(run)}/packets/${number}`, { headers: { Accept: 'application/json' } });
    if (answer.ok) return answer.json();
    const why = await answer.json().catch(() => ({}));
    throw new Error(why.message ?? `the server answered ${answer.status}.`);
  };
}
