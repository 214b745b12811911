import type { Noun } from '../../verb.ts'
import { verb as create } from './create.ts'

export const credential: Noun = {
  name: 'credential',
  summary: 'Database credentials: passwords for one hour',
  verbs: [create],
}
