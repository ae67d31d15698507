/** The one document that is evaluated: an object with the rules of the contract that are defined for an input. */
export const VERDICT_ENTRYPOINT = 'verigo/verdict';
/** There only when the policy reads `data.reference`: the names that it reads there. */
export const REFERENCE_NAMES_ENTRYPOINT = 'verigo/reference_names';
