import type { Noun } from '../../verb.ts'
import { verb as bind } from './bind.ts'
import { verb as get } from './get.ts'
import { verb as list } from './list.ts'
import { verb as repair } from './repair.ts'
import { verb as unbind } from './unbind.ts'
import { verb as update } from './update.ts'

export const role: Noun = {
  name: 'role',
  summary: 'Postgres roles: who logs in to an instance as what',
  verbs: [bind, list, get, update, repair, unbind],
}
