/**
 * Writes docs/reference/openapi.json from the HTTP application itself, so that the published description and the schemas that
 * check requests cannot differ. With `--check` it writes nothing and fails when the file is out of date.
 */
import { format, resolveConfig } from 'prettier'
import { createHttpApp, type HttpDependencies } from '../src/http/app.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { writeReferencePage } from './reference-page.ts'

// Routes touch what they depend on when they are asked, and none is: only their schemas are read.
const deps = { logger: createLogger({ level: 'fatal', role: 'generator' }) } as unknown as HttpDependencies

const app = await createHttpApp(deps, {
  httpHost: '127.0.0.1',
  httpPort: 0,
  httpTlsCert: undefined,
  httpTlsKey: undefined,
  httpBehindTlsProxy: false,
  httpPasswordGrant: true,
  trustedProxies: [],
  publicUrl: undefined,
})
await app.ready()
const page = new URL('../docs/reference/openapi.json', import.meta.url).pathname
const text = await format(JSON.stringify(app.swagger()), { ...(await resolveConfig(page)), filepath: page })
writeReferencePage('openapi.json', text, import.meta.filename)
await app.close()
