"""From a request and a picture of the world to one launch spec with every reason, or a refusal."""
