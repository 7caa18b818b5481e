/**
 * The words that say least about a text, in the languages that are written most: they count little, not nothing, so that
 * a text of nothing else can still be found.
 */

const LISTS = [
  // English
  "a an and are as at be but by for from had has have how i if in is it its not of on or so that the then there these " +
  "they this to was we were what when which who will with you your",
  // German
  "aber als am an auch auf aus bei bin bis das dass dem den der des die du durch ein eine einen einem einer es fur hat " +
  "ich im in ist mit nach nicht noch nur oder sein sich sie sind so uber um und uns von war was wenn werden wie wir zu " +
  "zum zur",
  // French
  "au aux avec ce ces cette dans de des du elle en est et il ils je la le les leur lui mais ne nous on ou par pas pour " +
  "que qui sa se ses son sont sur un une vous",
  // Spanish and Portuguese
  "al como con da das del do dos el ela ele em es esta este foi la las lo los mais mas na nao no nos o os para pelo pero " +
  "por que se ser seu sin su sua sus um uma una uno y",
  // Italian
  "anche che chi ci come cui da dal dei del della delle di e gli i il la le lo ma nel nella non per piu si sono sul tra " +
  "un una uno",
  // Dutch
  "dat de den der die een en er het hij ik is je maar met naar niet om onder ook op te uit van voor was wat we wij zijn " +
  "zo",
  // Russian
  "а без бы был была были было в вы для до его ее же за и из или их к как ко мы на не но о об он она они от по при с со " +
  "так то ты у что это я",
];

/** Folded as `lexical_features.ts` folds words. */
export const STOP_WORDS: ReadonlySet<string> = new Set(LISTS.flatMap((list) => list.split(" ")));
