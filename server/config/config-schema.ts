import { z } from 'zod';
import { key, path, SECONDS_IN_A_DAY, text, wholeNumber } from './config-key.ts';
import { collateral, verifiers } from './evidence-schema.ts';

const MEBIBYTE = 1 << 20;

/** Keys fetched over a network that anybody can write to are anybody's keys; a loopback address is our own machine. */
const KEY_URL = /^(https:\/\/|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|\/|$))/;
const keyUrl = z.string().refine((url) => KEY_URL.test(url) && URL.canParse(url));
const KEY_URL_EXPECTED = 'an https URL (http only to this machine)';

const http = z.strictObject({
  host: key(text.default('127.0.0.1'), 'Address to listen on; 0.0.0.0 is every IPv4 address.'),
  port: key(wholeNumber(0, 65_535).default(8080), 'Port to listen on; 0 takes any free one.'),
  body_limit_bytes: key(
    wholeNumber(1024, 64 * MEBIBYTE).default(2 * MEBIBYTE),
    'Largest request body; a longer one is refused with 413.',
  ),
  rate_limit_per_minute: key(
    wholeNumber(0, 10_000_000).default(6000),
    'Requests a minute from one address to the routes that need no credentials; 0 sets no limit.',
  ),
  trust_proxy: key(
    z.boolean().default(false),
    'Take the client address from X-Forwarded-For. Only behind a proxy that overwrites it.',
  ),
  max_in_flight: key(
    wholeNumber(1, 100_000).default(1024),
    'Requests in progress at once; further ones are answered with 503.',
  ),
});

const database = z.strictObject({
  url: key(
    z
      .string()
      .regex(/^postgres(ql)?:\/\//)
      .optional(),
    'The Postgres to use (also DATABASE_URL). Absent: one of our own, inside data_dir.',
    {
      example: 'postgres://verigo:password@localhost:5432/verigo',
      expected: 'a postgres:// URL',
      secret: 'url',
    },
  ),
  pool_size: key(wholeNumber(1, 1000).default(10), 'Connections to Postgres that one process keeps.'),
});

const keys = z.strictObject({
  master_key_file: path(
    '.verigo/master.key',
    'File of the key under which secrets are encrypted. Absent: master.key in data_dir, made at first start.',
  ),
  master_key: key(
    text.optional(),
    'The master key itself, in place of the file. Only from VERIGO_MASTER_KEY, never in this file.',
    { example: '(in the environment)', secret: 'hidden', expected: 'a key in VERIGO_MASTER_KEY' },
  ),
});

// The defaults of the first four are those of the CoCo attestation service, whose consumers may compare them.
const attestation = z.strictObject({
  issuer: key(text.default('CoCo-Attestation-Service'), 'The `iss` of minted tokens.'),
  developer: key(text.default('https://confidentialcontainers.org'), 'The developer in `ear.verifier-id`.'),
  build: key(text.default('attestation-service 0.1.0'), 'The build in `ear.verifier-id`.'),
  profile: key(
    text.default('tag:github.com,2024:confidential-containers/Trustee'),
    'The `eat_profile` of minted tokens.',
  ),
  token_lifetime_seconds: key(wholeNumber(1, SECONDS_IN_A_DAY).default(300), 'How long a token is valid.'),
  audience: key(text.optional(), 'The `aud` of minted tokens. Absent: none.', { example: 'my-estate' }),
  nonce: key(
    z.enum(['accept-foreign', 'required']).default('accept-foreign'),
    'Whether runtime data must carry a nonce of our own, or may carry one that the caller made and checks.',
  ),
  nonce_lifetime_seconds: key(wholeNumber(1, 3600).default(300), 'How long an issued nonce can be used.'),
  verbose_token: key(
    z.boolean().default(true),
    'Whether tokens repeat the evidence of additional devices inside the runtime data.',
  ),
  signing_key_file: path(
    '/etc/verigo/token-signing.pem',
    'PEM file of the EC P-256 key that signs tokens. Absent: one is made and kept, encrypted, in the database.',
  ),
  signing_cert_file: path(
    '/etc/verigo/token-signing-chain.pem',
    'PEM file of the certificates of that key, leaf first; published as `x5c`.',
  ),
  dangerously_allow_unauthenticated_policy_changes: key(
    z.boolean().default(false),
    'Let anybody who reaches POST /policy replace attestation policies. For development only.',
  ),
});

const issuer = z.strictObject({
  issuer: key(text, 'The `iss` of its tokens.', { example: 'https://attestation.example.com' }),
  jwks_url: key(
    keyUrl.optional(),
    'URL of its JWK set. Exactly one of jwks_url, discovery_url, jwks_file, certificate_roots_file.',
    { example: 'https://attestation.example.com/.well-known/jwks.json', expected: KEY_URL_EXPECTED },
  ),
  discovery_url: key(keyUrl.optional(), 'URL whose /.well-known/openid-configuration names its JWK set.', {
    example: 'https://attestation.example.com',
    expected: KEY_URL_EXPECTED,
  }),
  jwks_file: path('/etc/verigo/issuer-jwks.json', 'File with its JWK set.'),
  certificate_roots_file: path(
    '/etc/verigo/issuer-roots.pem',
    "PEM file of roots; the certificates in the token's header must lead to one of them.",
  ),
  audience: key(text.optional(), 'What the `aud` of its tokens must contain. Absent: they must have none.', {
    example: 'my-estate',
  }),
  profiles: key(
    z.array(text).min(1).optional(),
    'The `eat_profile` values that its tokens may have. Absent: any.',
    { example: ['tag:github.com,2024:confidential-containers/Trustee'] },
  ),
  dangerously_trust_header_jwk: key(
    z.boolean().default(false),
    'Believe the key that the token itself carries, in place of all four. Anybody can then make a token.',
    { example: false },
  ),
});

const kbs = z.strictObject({
  session_lifetime_seconds: key(wholeNumber(1, SECONDS_IN_A_DAY).default(300), 'How long a session lives.'),
  max_resource_bytes: key(
    wholeNumber(1, 64 * MEBIBYTE).default(MEBIBYTE),
    'Largest resource that is stored.',
  ),
  extra_tee_key_paths: key(
    z.array(z.string().startsWith('/')).default([]),
    "JSON pointers at which tokens of other makers carry the TEE's public key.",
    { expected: 'a list of JSON pointers such as "/customized_claims/runtime_data/tee-pubkey"' },
  ),
  issuers: z
    .array(issuer)
    .default([])
    .describe('Whose tokens open resources. Our own are trusted wherever the role "as" is played.'),
});

const identityProvider = z.strictObject({
  issuer: key(text, 'The `iss` of its tokens.', { example: 'https://login.example.com' }),
  audience: key(text, 'What the `aud` of its tokens must contain.', { example: 'verigo' }),
  public_key_file: path(
    '/etc/verigo/admin-public.pem',
    'PEM file of its public key. Exactly one of public_key_file, jwks_file.',
  ),
  jwks_file: path('/etc/verigo/admin-jwks.json', 'File with its JWK set.'),
});

const acl = z.strictObject({
  role: key(text, "The `role` of an administrator's token.", { example: 'admin' }),
  allowed_endpoints: key(
    text,
    'Regular expression, from ^/ to $, that the decoded path must match as a whole.',
    { example: '^/.*$' },
  ),
});

const admin = z.strictObject({
  mode: key(
    z.enum(['bearer-jwt', 'deny-all']).default('bearer-jwt'),
    'Who may administrate: bearers of a trusted token, or nobody.',
  ),
  trust_local_key: key(
    z.boolean().default(true),
    'Trust tokens made with admin.key in data_dir, which the first start creates.',
  ),
  identity_providers: z
    .array(identityProvider)
    .default([])
    .describe('Whose tokens identify administrators, beside the local key.'),
  acls: z
    .array(acl)
    .default([{ role: 'admin', allowed_endpoints: '^/.*$' }])
    .describe('Which role may call what. A call that none of them allows is denied.'),
});

const policy = z.strictObject({
  opa: key(
    text.optional(),
    'The OPA program that compiles policies (also VERIGO_OPA). Absent: found on PATH.',
    { example: '/usr/local/bin/opa', expected: 'the path of a program', isPath: true },
  ),
  deadline_ms: key(
    wholeNumber(1, 60_000).default(250),
    'Milliseconds after which a running policy is stopped.',
  ),
  workers: key(wholeNumber(1, 256).default(1), 'Threads that evaluate policies, in each process.'),
  max_source_bytes: key(
    wholeNumber(1024, 16 * MEBIBYTE).default(256 * 1024),
    'Largest policy that is stored.',
  ),
});

const log = z.strictObject({
  level: key(
    z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
    'What is logged: this level and the more severe ones.',
  ),
});

/** Every key of verigo.toml. Unknown ones are refused; the names are the same in the file, in code and in messages. */
export const configSchema = z.strictObject({
  data_dir: key(
    text.default('.verigo'),
    'Folder of what belongs to this installation: keys, and the database unless database.url names another.',
    { expected: 'the path of a folder', isPath: true },
  ),
  roles: key(
    z
      .array(z.enum(['as', 'kbs', 'rvps']))
      .min(1)
      .default(['as', 'kbs', 'rvps']),
    'What this process plays: attestation service, key broker, reference value provider.',
    { expected: 'a list of one or more of "as", "kbs", "rvps"' },
  ),
  http: http.prefault({}).describe('The listener.'),
  database: database.prefault({}).describe('Where everything is kept.'),
  keys: keys.prefault({}).describe('The key that protects what is kept.'),
  attestation: attestation.prefault({}).describe('Tokens and nonces.'),
  verifiers: verifiers.prefault({}).describe('Which evidence is accepted.'),
  collateral: collateral.prefault({}).describe('What vendors sign: certificates and revocation lists.'),
  kbs: kbs.prefault({}).describe('The key broker.'),
  admin: admin.prefault({}).describe('Who may change policies, reference values and resources.'),
  policy: policy.prefault({}).describe('The policy engine.'),
  log: log.prefault({}).describe('The log, as JSON lines on standard output.'),
});

export type ParsedConfig = z.output<typeof configSchema>;
