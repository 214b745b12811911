import type { SshKey } from '../../contract/ssh-keys.ts'
import type { SshKeyView } from '../../instances/ssh-keys.ts'

/** The only way out for a key pair: its public half. */
export function presentSshKey({ id, title, publicKey, createdAt, usedBy }: SshKeyView): SshKey {
  return { id, title, publicKey, createdAt: createdAt.toISOString(), usedBy: [...usedBy] }
}
