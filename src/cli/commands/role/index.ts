import type { Noun } from '../../verb.ts'
import * as bind from './bind.ts'
import * as get from './get.ts'
import * as list from './list.ts'
import * as repair from './repair.ts'
import * as unbind from './unbind.ts'

export const role: Noun = {
  name: 'role',
  summary: 'Postgres roles: who logs in to an instance as what',
  verbs: [bind, list, get, repair, unbind],
}
