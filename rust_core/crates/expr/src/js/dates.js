((zone) => {})
