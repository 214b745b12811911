import type { Noun } from '../../verb.ts'
import { verb as list } from './list.ts'

export const audit: Noun = {
  name: 'audit',
  summary: 'Audit events: every login and every change',
  verbs: [list],
}
