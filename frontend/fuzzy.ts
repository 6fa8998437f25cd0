/** How well a query fits a text: its letters in order, better at the start of words and in one piece. */

const WORD_START = /[\s\-_.:/·]/;

/** Points of a fit (more is better), or null when some letter is missing. Words of the query may stand in any order. */
export function score(query: string, text: string): number | null {
  const hay = text.toLowerCase();
  let points = 0;
  for (const word of query.toLowerCase().split(/\s+/).filter(Boolean)) {
    const fit = scoreWord(word, hay);
    if (fit === null) return null;
    points += fit;
  }
  return points;
}

function scoreWord(word: string, hay: string): number | null {
  const whole = hay.indexOf(word);
  if (whole >= 0) return 100 + word.length * 4 + (whole === 0 ? 40 : startsWord(hay, whole) ? 25 : 0) - hay.length / 20;
  let points = 0;
  let from = 0;
  let last = -2;
  for (const letter of word) {
    const at = hay.indexOf(letter, from);
    if (at < 0) return null;
    points += startsWord(hay, at) ? 8 : at === last + 1 ? 5 : 1;
    if (last >= 0) points -= Math.min(6, (at - last - 1) / 2);
    last = at;
    from = at + 1;
  }
  return points < word.length * 2 ? null : points - hay.length / 20; // letters strewn about are no fit
}

const startsWord = (text: string, at: number): boolean => at === 0 || WORD_START.test(text[at - 1]!);
