import { globSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { isSingleBinary, packedFile } from '../base/installation.ts'
import { EngineName } from '../contract/engines.ts'
import { loadEngine } from '../engines/registry.ts'
import { findBarrier } from '../postgres-server/traversal.ts'
import type { ChildUser, ServingRole } from './child-messages.ts'

/**
 * Loads what is otherwise loaded when it is first needed, where the user that this process becomes could not read it any more: a
 * checkout in a folder of root alone. It costs a second of the start, so that nobody else pays for drivers that he does not use. The
 * gateway speaks no other protocol than its own, but the way to a database may need secrets and certificates of a cloud.
 */
export async function loadPrivateCode(user: ChildUser | undefined, role: ServingRole): Promise<void> {
  if (!user || isSingleBinary || !findBarrier(packedFile('node_modules'), { ...user, name: '' })) return
  await import('google-auth-library')
  loadAwsProviders()
  if (role === 'gateway') return
  await Promise.all(EngineName.options.map((name) => loadEngine(name)))
  // The driver of the MySQL family loads these in the middle of a login.
  const requireOfDriver = createRequire(packedFile('node_modules/mysql2/index.js'))
  requireOfDriver('./lib/commands/auth_switch.js')
  const encodings = requireOfDriver('iconv-lite') as { encodingExists(name: string): boolean }
  encodings.encodingExists('latin1')
}

/** The SDK of AWS loads the code of each kind of identity, and that of roles to assume, when one is asked for its keys. */
function loadAwsProviders(): void {
  const requireOfSdk = createRequire(packedFile('node_modules/@aws-sdk/credential-providers/package.json'))
  const cwd = packedFile('node_modules')
  for (const file of globSync(AWS_PROVIDERS, { cwd })) requireOfSdk(join(cwd, file))
}

const AWS_PROVIDERS =
  '{@aws-sdk/{credential-provider*,nested-clients,token-providers},@smithy/credential-provider-imds}/dist-cjs/**/*.js'
