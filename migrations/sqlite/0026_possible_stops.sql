-- Messages from recipients that may be opt-outs, until an operator decides.
CREATE TABLE possible_stop (
    inbound INTEGER PRIMARY KEY REFERENCES inbound (id) ON DELETE CASCADE
);
