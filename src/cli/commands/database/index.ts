import type { Noun } from '../../verb.ts'
import { verb as generateDatabaseCredential } from './generate-database-credential.ts'

export const database: Noun = {
  name: 'database',
  summary: 'Commands as the Databricks CLI spells them',
  verbs: [generateDatabaseCredential],
}
