// Import direction (ARCHITECTURE.md). Layers from low to high: a file may import its own layer or a lower one, never a
// higher one. test/architecture/imports.test.ts plants a violation of every rule and sees it caught.
const foundation = ['base', 'pgwire', 'contract', 'transport', 'crypto', 'config', 'telemetry']
const outbound = ['store', 'postgres-server', 'secrets', 'dialer', 'engines']
const domain = ['audit', 'keys', 'identity', 'access', 'oauth', 'instances', 'catalog', 'sql']
const inbound = ['http', 'gateway', 'cli', 'jobs']
const layers = [foundation, outbound, domain, inbound, ['server']]

const test = '\\.test\\.ts$'
const folders = (names) => `^src/(${names.join('|')})/`

/** `folder` may import itself and the folders named, and nothing else of ours. */
const only = (folder, allowed) => ({
  name: `${folder}-imports-only-${allowed.join('-') || 'itself'}`,
  severity: 'error',
  from: { path: `^src/${folder}/`, pathNot: test },
  to: { path: '^src/', pathNot: folders([folder, ...allowed]) },
})

module.exports = {
  forbidden: [
    ...layers.slice(0, -1).map((names, index) => ({
      name: `layer-${index}-never-imports-upward`,
      severity: 'error',
      from: { path: folders(names), pathNot: test },
      to: { path: `${folders(layers.slice(index + 1).flat())}|^src/main\\.ts$` },
    })),
    only('base', []),
    only('pgwire', []),
    only('contract', []),
    only('transport', ['base']),
    only('crypto', ['base']),
    only('config', ['base']),
    only('cli', ['base', 'pgwire', 'contract', 'config']),
    ...domain.slice(0, 4).map((name, index) => ({
      name: `${name}-never-imports-later-domains`,
      severity: 'error',
      from: { path: `^src/${name}/`, pathNot: test },
      to: { path: folders(domain.slice(index + 1)) },
    })),
    {
      name: 'only-known-folders',
      comment: 'A new folder of src takes its place in a layer above, so that its direction is decided.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: folders(layers.flat()) },
      to: {},
    },
    {
      name: 'only-the-dialer-opens-sockets',
      comment: 'No second path to a database exists: the dialer, through transport, is the only one that opens it.',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/(transport|dialer|postgres-server|store|server|http|cli)/|${test}` },
      to: { path: '^(node:)?(net|tls|dgram)$|^node_modules/(ssh2|@google-cloud/cloud-sql-connector)/' },
    },
    {
      name: 'only-transport-imports-bun',
      comment: 'Everything else runs on node: APIs, so that the runtime stays a choice.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/transport/bun/' },
      to: { path: '^bun(:|$)' },
    },
    {
      name: 'pgwire-does-no-io',
      severity: 'error',
      from: { path: '^src/pgwire/', pathNot: test },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'ways-in-do-not-know-each-other',
      severity: 'error',
      from: { path: '^src/(http|gateway|cli|jobs)/' },
      to: { path: folders(inbound), pathNot: '^src/$1/' },
    },
    {
      name: 'ways-in-never-touch-the-store',
      severity: 'error',
      from: { path: folders(inbound), pathNot: test },
      to: { path: '^src/store/' },
    },
    {
      name: 'engines-do-not-know-each-other',
      severity: 'error',
      from: { path: '^src/engines/([^/]+)/' },
      to: { path: '^src/engines/[^/]+/', pathNot: '^src/engines/$1/' },
    },
    {
      name: 'only-the-registry-loads-an-engine',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/engines/([^/]+/|registry\\.ts$)' },
      to: { path: '^src/engines/[^/]+/' },
    },
    {
      name: 'web-sees-only-the-contract',
      severity: 'error',
      from: { path: '^web/' },
      to: { path: '^src/', pathNot: '^src/contract/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-import-of-tests',
      severity: 'error',
      from: { pathNot: `${test}|^(test|bench)/` },
      to: { path: `${test}|^test/` },
    },
    {
      name: 'no-import-of-tools',
      severity: 'error',
      from: { path: '^src/', pathNot: test },
      to: { path: '^tools/' },
    },
    {
      name: 'no-undeclared-packages',
      comment: 'A package that another one happens to bring may be gone tomorrow: name it in package.json.',
      severity: 'error',
      from: { path: '^(src|test|tools|bench)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'], pathNot: '^bun(:|$)' },
    },
    {
      name: 'no-development-packages-at-run-time',
      severity: 'error',
      from: { path: '^src/', pathNot: test },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: '^node_modules/@types/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
}
