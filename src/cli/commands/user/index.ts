import type { Noun } from '../../verb.ts'
import { verb as create } from './create.ts'
import { verb as remove } from './delete.ts'
import { verb as get } from './get.ts'
import { verb as list } from './list.ts'
import { verb as resetPassword } from './reset-password.ts'
import { verb as setPassword } from './set-password.ts'
import { verb as update } from './update.ts'

export const user: Noun = {
  name: 'user',
  summary: 'Users: the identities of people',
  verbs: [create, list, get, update, remove, setPassword, resetPassword],
}
