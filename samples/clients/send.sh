#!/usr/bin/env bash
# Sends one message over the 8x8 API and asks what became of it: with curl alone.
#
#   BASE_URL=http://127.0.0.1:8688 SUB_ACCOUNT=acme API_KEY_FILE=volley.key ./send.sh +6591234567 'Hello World!'
set -euo pipefail

base=${BASE_URL:-https://chatapps.8x8.com}/api/v1/subaccounts/$SUB_ACCOUNT
number=$1
text=$2

# The key comes from standard input, so that no list of processes shows it.
call() {
    printf 'header = "Authorization: Bearer %s"\n' "$(cat "$API_KEY_FILE")" |
        curl --silent --show-error --fail-with-body --config - --header 'Content-Type: application/json' "$@"
}

# Escapes a text for JSON.
json() {
    local escaped=${1//\\/\\\\}
    escaped=${escaped//\"/\\\"}
    printf '"%s"' "${escaped//$'\n'/\\n}"
}

sent=$(call --request POST "$base/messages" --data "{
    \"user\": {\"msisdn\": $(json "$number")},
    \"type\": \"text\",
    \"content\": {\"text\": $(json "$text")},
    \"channels\": [{\"channel\": \"SMS\"}]
}")
printf '%s\n' "$sent"

# Messages may be queried once a second for each subaccount.
sleep 1
umid=${sent#*\"umid\":\"}
call "$base/messages/${umid%%\"*}"
printf '\n'
