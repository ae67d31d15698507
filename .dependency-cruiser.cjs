// Who may import whom. The rules of ARCHITECTURE.md, "Direction of dependencies".
/** What several verifiers are made of. */
const shared = 'intel-dcap|tpm|event-log|vendor-service';
const decide = 'policy|token|reference-values|resources|decisions|collateral';
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'leaves-import-leaves',
      comment:
        'bytes, json, errors, x509, evidence, claims and protocol are pure: no I/O, no stage of the flow',
      severity: 'error',
      from: { path: '^server/(bytes|json|errors|x509|evidence|claims|protocol)/' },
      to: { path: '^server/', pathNot: '^server/(bytes|json|errors|x509|evidence|claims|protocol)/' },
    },
    {
      name: 'verifiers-only-verify',
      severity: 'error',
      from: { path: `^server/(verifiers|${shared})/` },
      to: {
        path: `^server/(${decide}|kbs|http|storage|admin|attestation|cli)/`,
        pathNot: '^server/collateral/collateral\\.ts$', // the contract that verifiers are given
      },
    },
    {
      name: 'one-verifier-per-folder',
      severity: 'error',
      from: { path: '^server/verifiers/([^/]+)/' },
      to: { path: '^server/verifiers/[^/]+/', pathNot: '^server/verifiers/$1/' },
    },
    {
      name: 'shared-pieces-know-no-verifier',
      comment: 'what proves a quote, a TPM or a log knows no claims of a TEE, nor each other',
      severity: 'error',
      from: { path: `^server/(${shared})/` },
      to: { path: `^server/(verifiers|${shared})/`, pathNot: '^server/($1|vendor-service)/' },
    },
    {
      name: 'stages-do-not-know-each-other',
      severity: 'error',
      from: { path: `^server/(${decide})/` },
      to: { path: `^server/(${decide})/`, pathNot: '^server/$1/' },
    },
    {
      name: 'stages-do-not-know-use-cases',
      severity: 'error',
      from: { path: `^server/(${decide}|storage)/`, pathNot: '-routes\\.ts$' },
      to: { path: '^server/(attestation|kbs|admin|http|cli)/' },
    },
    {
      name: 'only-routes-know-fastify',
      severity: 'error',
      from: { path: '^server/', pathNot: '(-routes\\.ts$|^server/(app|compose)\\.ts$|^server/http/)' },
      to: { path: 'node_modules/(fastify|@fastify)' },
    },
    {
      name: 'only-repositories-know-kysely',
      severity: 'error',
      from: { path: '^server/', pathNot: '(-repository\\.ts$|^server/storage/)' },
      to: { path: 'node_modules/(kysely|pg)/' },
    },
    {
      name: 'one-file-knows-opa-wasm',
      severity: 'error',
      from: { path: '^server/', pathNot: '^server/policy/wasm-policy\\.ts$' },
      to: { path: 'node_modules/@open-policy-agent' },
    },
    {
      name: 'agent-knows-only-leaves-of-the-server',
      comment: 'the guest runs without the server: it shares what travels, and the strict readers',
      severity: 'error',
      from: { path: '^agent/' },
      to: { path: '^server/', pathNot: '^server/(protocol|evidence|claims|bytes|json|errors)/' },
    },
    {
      name: 'server-does-not-know-the-agent',
      severity: 'error',
      from: { path: '^server/' },
      to: { path: '^agent/' },
    },
    {
      name: 'client-runs-in-every-runtime',
      comment: 'browsers and edge runtimes have fetch and WebCrypto, and no module of Node',
      severity: 'error',
      from: { path: '^agent/client\\.ts$' },
      to: {
        reachable: true,
        path: '^(server/bytes/|(node:)?(buffer|crypto|dns|fs|http|https|module|net|os|path|process|stream|tls|url|util|worker_threads|zlib)(/|$))',
      },
    },
    {
      name: 'migrations-are-frozen',
      severity: 'error',
      from: { path: '^migrations/' },
      to: { path: '^(server|agent|test)/' },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { path: '^(server|agent|migrations)/' },
      to: { path: '^test/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'], conditionNames: ['import', 'node', 'types'] },
  },
};
