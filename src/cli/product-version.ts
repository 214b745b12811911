import packageJson from '../../package.json' with { type: 'json' }

/** Version of this Postern, as in package.json. */
export const productVersion = packageJson.version
