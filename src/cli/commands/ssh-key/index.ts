import type { Noun } from '../../verb.ts'
import { verb as create } from './create.ts'
import { verb as remove } from './delete.ts'
import { verb as list } from './list.ts'

export const sshKey: Noun = {
  name: 'ssh-key',
  summary: 'SSH keys that Postern makes: the public half goes to SSH servers, the private half is never shown',
  verbs: [create, list, remove],
}
