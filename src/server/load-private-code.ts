import { createRequire } from 'node:module'
import { isSingleBinary, packedFile } from '../base/installation.ts'
import { EngineName } from '../contract/engines.ts'
import { loadEngine } from '../engines/registry.ts'
import { findBarrier } from '../postgres-server/traversal.ts'
import type { ChildUser } from './child-messages.ts'

/**
 * Loads what is otherwise loaded when it is first needed, where the user that this process becomes could not read it any more: a
 * checkout in a folder of root alone. It costs a second of the start, so that nobody else pays for drivers that he does not use.
 */
export async function loadPrivateCode(user: ChildUser | undefined): Promise<void> {
  if (!user || isSingleBinary || !findBarrier(packedFile('node_modules'), { ...user, name: '' })) return
  await Promise.all([...EngineName.options.map((name) => loadEngine(name)), import('google-auth-library')])
  // The driver of the MySQL family loads these in the middle of a login.
  const requireOfDriver = createRequire(packedFile('node_modules/mysql2/index.js'))
  requireOfDriver('./lib/commands/auth_switch.js')
  const encodings = requireOfDriver('iconv-lite') as { encodingExists(name: string): boolean }
  encodings.encodingExists('latin1')
}
