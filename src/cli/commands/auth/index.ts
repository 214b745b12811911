import type { Noun } from '../../verb.ts'
import { verb as token } from './token.ts'

export const auth: Noun = {
  name: 'auth',
  summary: 'Access tokens as the Databricks CLI spells them',
  verbs: [token],
}
