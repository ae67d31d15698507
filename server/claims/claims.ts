/** A JSON value. What policies see and tokens carry. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [member: string]: Json };
export type JsonObject = Readonly<Record<string, Json>>;

/**
 * What a verifier has proven about one TEE, under upstream's names. `report_data` and `init_data`, when there,
 * are text; the appraisal moves them beside the TEE's other claims.
 */
export type Claims = JsonObject;
