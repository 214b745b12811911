import type { Noun } from '../../verb.ts'
import { verb as get } from './get.ts'
import { verb as list } from './list.ts'

export const engine: Noun = {
  name: 'engine',
  summary: 'Engines: the makes of database that can be registered, and what each takes',
  verbs: [list, get],
}
