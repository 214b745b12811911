/** Environment variables that the CLI reads, for the code, the help and the reference page. */
export const ENVIRONMENT = {
  POSTERN_HOST: 'Where the control plane listens, as --host. Default: http://127.0.0.1:8080.',
  POSTERN_CA_FILE: 'Certificate authorities to trust for https, as --ca-file. Default: the public ones.',
  POSTERN_PROFILE: 'Control plane and sign-in, as --profile.',
  POSTERN_CLIENT_ID: 'Client id of a service principal: the command acts as it instead of the stored sign-in.',
  POSTERN_CLIENT_SECRET: 'Secret of that service principal.',
  POSTERN_CLIENT_SECRET_FILE:
    'File that holds that secret; better than the variable, which every child process inherits.',
  POSTERN_GATEWAY_CA_FILE:
    'Certificate authority of the gateway, as --gateway-ca-file of `postern psql` and `postern connect`.',
  POSTERN_KEYRING: 'off keeps the tokens of a sign-in in a file of mode 0600 also where there is a keyring.',
  BROWSER: 'Program that `postern login` opens the browser with; none prints the address.',
  POSTERN_DEBUG: '1 shows the cause and the stack of a failure.',
  XDG_CONFIG_HOME: 'Where profiles and the stored sign-ins lie: $XDG_CONFIG_HOME/postern, else ~/.config/postern.',
} as const

/** Variables of the process, as given by main.ts: nothing else in the CLI reads them from the process. */
export type Environment = Readonly<Record<string, string | undefined>>
