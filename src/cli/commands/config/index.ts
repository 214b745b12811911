import type { Noun } from '../../verb.ts'
import { verb as print } from './print.ts'

export const config: Noun = {
  name: 'config',
  summary: 'Configuration of the server',
  verbs: [print],
}
